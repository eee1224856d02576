//! `mercer config show`: the effective configuration and where each value comes from.

use std::{collections::BTreeMap, path::PathBuf};

use anyhow::Result;
use mercer_common::config::{Config, ConfigError};
use serde_json::Value;

use crate::show::{
    config::{Setting, toml},
    output::{self, Format},
};

/// Look at the configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ConfigCommand {
    /// Print the effective configuration as TOML, each value with its source.
    Show {
        /// A TOML file.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Runs the command.
pub(crate) fn run(args: ConfigArgs, format: Format) -> Result<()> {
    let ConfigCommand::Show { config: file } = args.command;
    let no_flags = BTreeMap::<String, String>::new();
    // Checks names and ranges.
    let config = Config::load(file.as_deref(), &no_flags)?;
    let figment = Config::figment(file.as_deref(), &no_flags);
    let mut settings = BTreeMap::new();
    flatten(&mut String::new(), serde_json::to_value(&config)?, &mut |key, value| {
        let source = match figment.find_metadata(key) {
            Some(metadata) => match &metadata.source {
                Some(source) if !metadata.name.contains("default") => source.to_string(),
                _ if metadata.name.contains("environment") => {
                    format!("MERCER_{}", key.to_uppercase().replace('.', "__"))
                }
                _ => "default".to_owned(),
            },
            None => "default".to_owned(),
        };
        // `Serialized` names the place in the code: nothing that helps an operator.
        let source = if source.contains(".rs") { "default".to_owned() } else { source };
        settings.insert(key.to_owned(), Setting { value, source });
    });
    output::print(format, &settings, toml)
}

/// Visits the leaves of nested objects with their dotted keys.
fn flatten(prefix: &mut String, value: Value, visit: &mut dyn FnMut(&str, Value)) {
    let Value::Object(members) = value else {
        visit(prefix, value);
        return;
    };
    for (name, member) in members {
        let length = prefix.len();
        if length > 0 {
            prefix.push('.');
        }
        prefix.push_str(&name);
        flatten(prefix, member, visit);
        prefix.truncate(length);
    }
}

/// Advice about a configuration that was refused.
pub(crate) fn advice(error: &ConfigError) -> &'static str {
    match error {
        ConfigError::Load(_) => "`mercer config show` lists all keys with their defaults.",
        ConfigError::Invalid { .. } => {
            "`mercer config show --config FILE` shows where each value comes from."
        }
    }
}
