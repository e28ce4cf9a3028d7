use clap::{Subcommand, ValueEnum};

use super::{output, word};
use crate::change::KeyPurpose;
use crate::use_cases::{Begin, KeyReport, UseCases};

#[derive(Subcommand)]
pub(super) enum Command {
    /// All keys, and where each stands in its life
    List {
        #[arg(long)]
        json: bool,
    },
    /// Make the keys that take over. They are published at once and used later: OIDC keys after a
    /// day, SAML keys after 30
    Rotate {
        purpose: Purpose,
        /// Use the new key at once, or the one that has been announced
        #[arg(long)]
        now: bool,
        #[arg(long)]
        json: bool,
    },
    /// Stop using, publishing and believing a key, now. A new one takes the place of one in use
    Revoke {
        /// As `keys list` shows it; it may begin with a dash
        #[arg(allow_hyphen_values = true)]
        key: String,
        #[arg(long)]
        json: bool,
    },
}

/// What a key is for.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Purpose {
    /// ID tokens and logout tokens
    Oidc,
    /// SAML messages and our SP metadata
    SamlSigning,
    /// What IdPs encrypt for us
    SamlDecryption,
}

impl From<Purpose> for KeyPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Oidc => Self::Oidc,
            Purpose::SamlSigning => Self::SamlSigning,
            Purpose::SamlDecryption => Self::SamlDecryption,
        }
    }
}

pub(super) async fn run(command: Command, use_cases: UseCases) -> anyhow::Result<bool> {
    let (keys, json) = match command {
        Command::List { json } => (use_cases.key_reports().await?, json),
        Command::Rotate { purpose, now, json } => {
            let begin = if now { Begin::Now } else { Begin::Announced };
            (use_cases.rotate_keys(purpose.into(), begin).await?, json)
        }
        Command::Revoke { key, json } => (use_cases.revoke_key(&key).await?, json),
    };
    if json {
        output::json(&keys)?
    } else {
        print(&keys)
    }
    Ok(true)
}

fn print(keys: &[KeyReport]) {
    let row = |key: &KeyReport| {
        vec![
            key.id.clone(),
            word(&key.purpose),
            key.algorithm.clone(),
            key.stage.as_ref().map_or_else(|| "revoked".to_owned(), word),
            key.active_from.clone(),
            key.certificate_until.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let rows: Vec<_> = keys.iter().map(row).collect();
    let heads = ["KEY", "PURPOSE", "ALGORITHM", "STAGE", "USED FROM", "CERTIFICATE UNTIL"];
    output::table(&heads, &rows);
}
