//! Compiles the protos with protox: no `protoc` is needed.

use std::{env, fs, path::PathBuf};

use prost::Message as _;

const PUBLIC: &[&str] = &[
    "catalog",
    "cluster",
    "decision",
    "event",
    "experiment",
    "forecast",
    "import",
    "inventory",
    "job",
    "note",
    "pricing",
    "recommend",
];
const INTERNAL: &[&str] = &["coordinator", "record", "result", "snapshot", "training", "worker"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files: Vec<String> = PUBLIC
        .iter()
        .map(|name| format!("mercer/v1/{name}.proto"))
        .chain(INTERNAL.iter().map(|name| format!("mercer/internal/v1/{name}.proto")))
        .collect();
    // tonic-prost-build prints none of these, and without them every build recompiles this crate.
    for root in ["mercer", "google", "build.rs"] {
        println!("cargo:rerun-if-changed={root}");
    }

    let descriptors = protox::compile(&files, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("mercer_internal_v1_descriptor.bin"), descriptors.encode_to_vec())?;
    // Reflection describes the public API only.
    let public = protox::compile(&files[..PUBLIC.len()], ["."])?;
    fs::write(out.join("mercer_v1_descriptor.bin"), public.encode_to_vec())?;
    // The codec knows a request by its name.
    let mut config = tonic_prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .codec_path("crate::codec::BoundedCodec")
        .bytes(".mercer.internal.v1.FetchedSection.section")
        .btree_map(".")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
