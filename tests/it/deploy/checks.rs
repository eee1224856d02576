//! What can be said of the files without running them.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};

use super::{BINARY, deploy, page::read};

/// The most that a unit may be exposed, in tenths of the points of `systemd-analyze security`. What is
/// left is the network, which Mercer is for, and one call of a group, to lower a thread's priority.
const EXPOSURE: &str = "--threshold=10";
const ANALYZE: &str = "systemd-analyze";

#[test]
fn example_configurations_are_valid() -> anyhow::Result<()> {
    for entry in fs::read_dir(deploy().join("config"))? {
        let file = entry?.path();
        let output =
            Command::new(BINARY).args(["config", "show", "--config"]).arg(&file).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {said}", file.display());
    }
    Ok(())
}

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn units_are_sound_and_barely_exposed() -> anyhow::Result<()> {
    if Command::new(ANALYZE).arg("--version").output().is_err() {
        eprintln!("units: SKIPPED, there is no {ANALYZE} here");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let mut units = Vec::new();
    for entry in fs::read_dir(deploy().join("systemd"))? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "service") {
            let copy = folder.path().join(file.file_name().context("a file")?);
            fs::write(&copy, read(&file)?.replace("/usr/bin/mercer", BINARY))?;
            units.push(copy);
        }
    }
    ensure!(units.len() == 3, "{units:?}");
    for unit in &units {
        let said = analyze(&["verify", "--man=no"], unit)?;
        ensure!(said.is_empty(), "{said}");
        analyze(&["security", "--offline=true", "--no-pager", EXPOSURE], unit)?;
    }
    Ok(())
}

/// What the tool says of a unit; fails when it is not content.
fn analyze(arguments: &[&str], unit: &Path) -> anyhow::Result<String> {
    let output = Command::new(ANALYZE).args(arguments).arg(unit).output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    ensure!(output.status.success(), "{arguments:?}: {said}");
    Ok(said)
}

#[test]
fn the_image_is_built_from_what_it_is_sent() -> anyhow::Result<()> {
    let root = deploy().with_file_name("");
    let (image, manifest) = (read(&deploy().join("Dockerfile"))?, read(&root.join("Cargo.toml"))?);
    let profile = image.split_once("--profile ").context("the profile")?.1;
    let profile = profile.split_whitespace().next().context("the profile")?;
    ensure!(manifest.contains(&format!("[profile.{profile}]\n")), "there is no profile {profile}");

    let toolchain = read(&root.join("rust-toolchain.toml"))?;
    let release = toolchain.split_once("channel = \"").context("the release")?.1;
    let release = release.split_once('"').context("the release")?.0;
    ensure!(image.contains(&format!("FROM rust:{release}-")), "CI builds with {release}");

    let members = manifest.split_once("members = [").context("members")?.1;
    let members = members.split_once(']').context("members")?.0;
    let sent = read(&root.join(".dockerignore"))?;
    for member in members.split(", ").map(|member| member.trim_matches('"')) {
        let whole = format!("!{member}\n");
        let manifest = format!("!{member}/Cargo.toml\n");
        ensure!(sent.contains(&whole) || sent.contains(&manifest), "{member} is not sent");
    }
    Ok(())
}
