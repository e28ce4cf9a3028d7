use clap::Subcommand;

use crate::use_cases::UseCases;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Issue a bearer token for the admin API; it is shown once
    Token {
        /// What the token is for, as the audit will say
        #[arg(long, default_value = "command line")]
        name: String,
    },
}

pub(super) async fn run(command: Command, use_cases: UseCases) -> anyhow::Result<bool> {
    match command {
        Command::Token { name } => {
            let token = use_cases.issue_admin_token(&name).await?;
            println!("{}", token.expose());
        }
    }
    Ok(true)
}
