use std::io::Read as _;

use clap::{Args, Subcommand};

use super::{output, parse_serde, word};
use crate::change::Source;
use crate::id::ClientId;
use crate::keys::KeyAlgorithm;
use crate::oidc::{ClientSettings, Confirm, LogoutScope};
use crate::secret::Token;
use crate::use_cases::{Existing, UseCases};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register a client; its secret is generated and shown once
    Add(Box<Add>),
    /// All clients
    List {
        #[arg(long)]
        json: bool,
    },
    /// One client
    Show {
        id: ClientId,
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(super) struct Add {
    id: String,
    /// What people call the app; pages show it instead of the id
    #[arg(long, value_name = "N")]
    name: Option<String>,
    #[arg(long = "redirect-uri", required = true, value_name = "U")]
    redirect_uris: Vec<String>,
    #[arg(long = "post-logout-redirect-uri", value_name = "U")]
    post_logout_redirect_uris: Vec<String>,
    /// Where `/v2/logout` may return to; `*` may stand for a part of the left-most label
    #[arg(long = "allowed-logout-url", value_name = "P")]
    allowed_logout_urls: Vec<String>,
    #[arg(long, value_name = "U")]
    backchannel_logout_uri: Option<String>,
    /// Name the session in every logout token, also when a person is signed out of everything
    #[arg(long)]
    backchannel_logout_session_required: bool,
    /// A page that ends the app's session in a frame; used where there is no back channel
    #[arg(long, value_name = "U")]
    frontchannel_logout_uri: Option<String>,
    /// An IdP that this client may use; without any, it may use all
    #[arg(long = "idp", value_name = "ID")]
    idps: Vec<String>,
    /// How far a logout of this client reaches
    #[arg(long, default_value = "all_apps_and_idp", value_parser = parse_serde::<LogoutScope>)]
    scope: LogoutScope,
    /// Whether the person is asked at logout even when nothing demands it
    #[arg(long, default_value = "auto", value_parser = parse_serde::<Confirm>)]
    confirm: Confirm,
    /// The shortest `state` that a logout request may have
    #[arg(long, default_value_t = 0, value_name = "N")]
    min_state_length: usize,
    /// Add `logout_result` to the final redirect of a logout
    #[arg(long)]
    logout_result: bool,
    #[arg(long, default_value = "RS256", value_name = "A")]
    #[arg(value_parser = parse_serde::<KeyAlgorithm>)]
    id_token_alg: KeyAlgorithm,
    /// A client that cannot keep a secret; it must use PKCE
    #[arg(long)]
    public: bool,
    /// Read the secret from stdin instead of generating one; at least 32 characters
    #[arg(long, conflicts_with = "public")]
    secret_stdin: bool,
}

/// The shortest secret that is imported.
const SHORTEST_SECRET: usize = 32;

pub(super) async fn run(command: Command, use_cases: UseCases) -> anyhow::Result<bool> {
    match command {
        Command::Add(add) => {
            let given = if add.secret_stdin { Some(read_secret()?) } else { None };
            let imported = given.is_some();
            let settings = add.settings();
            let saved =
                use_cases.save_client(settings, given, Source::Admin, Existing::Refuse).await?;
            println!("client {} is registered", saved.client.id);
            if let Some(secret) = saved.secret.filter(|_| !imported) {
                println!("client_secret {}", secret.expose());
                eprintln!("The secret is not shown again.");
            }
        }
        Command::List { json } => {
            let clients = use_cases.clients().await?;
            let settings = clients
                .iter()
                .map(|found| serde_json::from_str(&found.settings))
                .collect::<Result<Vec<ClientSettings>, _>>()?;
            if json {
                output::json(&settings)?;
            } else {
                let row = |client: &ClientSettings| {
                    let told = told_by(client).unwrap_or("-");
                    vec![client.id.clone(), kind(client).to_owned(), told.to_owned()]
                };
                let rows: Vec<_> = settings.iter().map(row).collect();
                output::table(&["CLIENT", "KIND", "TOLD AT LOGOUT BY"], &rows);
            }
        }
        Command::Show { id, json } => {
            let found = use_cases.client(&id).await?;
            let settings: ClientSettings = serde_json::from_str(&found.settings)?;
            if json { output::json(&settings)? } else { print(&settings) }
        }
    }
    Ok(true)
}

fn print(client: &ClientSettings) {
    let line = |name: &str, value: &str| println!("{name:<24} {value}");
    let many = |name: &str, values: &[String]| match values {
        [] => line(name, "none"),
        values => values.iter().for_each(|value| line(name, value)),
    };
    line("client", &client.id);
    line("name", client.name.as_deref().unwrap_or("none"));
    line("kind", kind(client));
    many("redirect URI", &client.redirect_uris);
    many("post-logout redirect URI", &client.post_logout_redirect_uris);
    many("allowed logout URL", &client.allowed_logout_urls);
    line("told at logout by", told_by(client).unwrap_or("nobody"));
    let session_required = client.backchannel_logout_session_required;
    line("sid in logout tokens", if session_required { "always" } else { "not at off-boarding" });
    match client.idps.as_slice() {
        [] => line("IdP", "any"),
        idps => many("IdP", idps),
    }
    line("scope of a logout", &word(&client.scope));
    line("confirmation", &word(&client.confirm));
    line("shortest state", &client.min_state_length.to_string());
    line("logout_result", if client.logout_result { "added" } else { "not added" });
    line("ID tokens", &word(&client.id_token_alg));
}

/// The back channel alone where both are registered, since that one can be confirmed.
fn told_by(client: &ClientSettings) -> Option<&str> {
    client.backchannel_logout_uri.as_deref().or(client.frontchannel_logout_uri.as_deref())
}

fn kind(client: &ClientSettings) -> &'static str {
    if client.public { "public" } else { "confidential" }
}

impl Add {
    fn settings(self) -> ClientSettings {
        ClientSettings {
            id: self.id,
            name: self.name,
            redirect_uris: self.redirect_uris,
            post_logout_redirect_uris: self.post_logout_redirect_uris,
            allowed_logout_urls: self.allowed_logout_urls,
            backchannel_logout_uri: self.backchannel_logout_uri,
            backchannel_logout_session_required: self.backchannel_logout_session_required,
            frontchannel_logout_uri: self.frontchannel_logout_uri,
            idps: self.idps,
            scope: self.scope,
            confirm: self.confirm,
            min_state_length: self.min_state_length,
            logout_result: self.logout_result,
            id_token_alg: self.id_token_alg,
            public: self.public,
        }
    }
}

fn read_secret() -> anyhow::Result<Token> {
    let mut text = zeroize::Zeroizing::new(String::new());
    std::io::stdin().read_to_string(&mut text)?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.chars().count() < SHORTEST_SECRET {
        anyhow::bail!("a client secret has {SHORTEST_SECRET} characters or more");
    }
    Ok(Token::received(secret))
}
