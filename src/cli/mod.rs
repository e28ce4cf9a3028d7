//! The command line. Exit codes: 0 done, 1 failed, 2 wrong usage.

mod admin;
mod client;
mod config;
mod idp;
mod keys;
mod logout;
mod mock_idp;
mod output;
mod serve;
mod session;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::{Config, process_variable};
use crate::use_cases::UseCases;
use crate::{demo, server, telemetry};

/// Signs people of OpenID Connect apps in through SAML identity providers, and out of everything
/// again.
#[derive(Parser)]
#[command(name = "sloop", version, max_term_width = 100)]
struct Cli {
    /// Configuration file [default: sloop.toml, if there is one]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the whole thing on this machine: bridge, test IdP and two apps
    Demo {
        /// Run the story once and exit: 0 if every step held
        #[arg(long)]
        once: bool,
    },
    /// Run a SAML IdP for tests, with faults on demand
    MockIdp(mock_idp::Command),
    /// Run the service
    Serve,
    /// IdP connections
    #[command(subcommand)]
    Idp(idp::Command),
    /// OIDC clients
    #[command(subcommand)]
    Client(client::Command),
    /// Who is signed in, and ending it
    #[command(subcommand)]
    Session(session::Command),
    /// What happened to logouts
    #[command(subcommand)]
    Logout(logout::Command),
    /// The keys of this installation
    #[command(subcommand)]
    Keys(keys::Command),
    /// Access to the admin API
    #[command(subcommand)]
    Admin(admin::Command),
    /// The configuration file
    #[command(subcommand)]
    Config(config::Command),
}

pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&anyhow::Error::from(error));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            output::error(&error);
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<bool> {
    let config = || Config::load(cli.config.as_deref(), process_variable);
    match cli.command {
        Command::Demo { once } => Ok(demo::run(once, &mut std::io::stdout()).await?),
        Command::MockIdp(command) => mock_idp::run(command).await,
        Command::Serve => {
            telemetry::init(process_variable)?;
            serve::run(&config()?).await
        }
        Command::Idp(command) => idp::run(command, async || open(config()?).await).await,
        Command::Client(command) => client::run(command, open(config()?).await?).await,
        Command::Session(command) => session::run(command, open(config()?).await?).await,
        Command::Logout(command) => logout::run(command, open(config()?).await?).await,
        Command::Keys(command) => keys::run(command, open(config()?).await?).await,
        Command::Admin(command) => admin::run(command, open(config()?).await?).await,
        Command::Config(command) => config::run(command, &config()?).await,
    }
}

/// The use cases, on the same database as a service that may be running beside us.
async fn open(config: Config) -> anyhow::Result<UseCases> {
    let opened = server::open(&config, &Clock::system()).await;
    opened.with_context(|| format!("opening the database {}", config.database))
}

/// The words that TOML and the API use too.
fn parse_serde<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::from(text)).map_err(|error| error.to_string())
}

/// The other way: the word for a value.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        other => other.map(|value| value.to_string()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Cli::command().debug_assert();
    }
}
