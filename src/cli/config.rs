use clap::Subcommand;

use crate::config::Config;
use crate::declared;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Say whether the configuration can be used
    Check,
    /// Write the clients and IdPs that files declare into the database, once for all nodes
    Apply,
}

pub(super) async fn run(command: Command, config: &Config) -> anyhow::Result<bool> {
    match command {
        Command::Check => {
            println!("issuer    {}", config.issuer.as_str());
            println!("listen    {}", config.listen);
            println!("database  {}", config.database);
            let (clients, idps) = (config.clients.len(), config.identity_providers.len());
            println!("declares  {clients} clients, {idps} IdPs");
            Ok(true)
        }
        Command::Apply => {
            let use_cases = super::open(config.clone()).await?;
            let errors = declared::sync(config, &use_cases).await;
            for error in &errors {
                eprintln!("sloop: {error}");
            }
            Ok(errors.is_empty())
        }
    }
}
