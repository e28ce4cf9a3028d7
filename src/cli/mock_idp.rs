//! `sloop mock-idp`: the test IdP as a program of its own.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, ValueEnum};
use tokio::net::TcpListener;

use super::Cli;
use crate::clock::Clock;
use crate::lifecycle::{self, Limits, Shutdown};
use crate::mock_idp::{Fault, MetadataSource, MockIdp, Options, Plan, Slo, user_name};
use crate::rng::Rng;
use crate::saml::Binding;

/// How long requests under way may take when it is to end: nobody loses anything.
const DRAIN: Duration = Duration::from_secs(1);

#[derive(Args)]
#[command(after_help = faults_help())]
pub(super) struct Command {
    /// Where it listens; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    listen: SocketAddr,
    /// Listen on an address that is not loopback. Whoever reaches it is whoever they say
    #[arg(long)]
    allow_remote: bool,
    /// URL under which browsers reach it [default: http://localhost:PORT]
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Its SAML entity ID [default: the URL of its metadata]
    #[arg(long, value_name = "URI")]
    entity_id: Option<String>,
    /// Metadata of the service provider that it serves, such as https://sloop.example/saml/metadata.
    /// What cannot be fetched now is fetched when it is needed
    #[arg(long, value_name = "URL|FILE")]
    sp_metadata: Option<MetadataSource>,
    /// Who can be chosen at the sign-in page. Anybody else can type a name
    #[arg(long = "user", value_name = "NAME", value_parser = user_name,
          default_values = ["ada", "ben"])]
    users: Vec<String>,
    /// Bindings of its single logout
    #[arg(long, value_name = "BINDING", value_delimiter = ',',
          default_values = ["redirect", "post", "soap"])]
    slo: Vec<SloBinding>,
    /// What it does wrong from the start; may be given several times
    #[arg(long = "fault", value_name = "NAME[=VALUE]")]
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SloBinding {
    Redirect,
    Post,
    Soap,
    /// No single logout at all
    None,
}

impl SloBinding {
    fn binding(self) -> Option<Binding> {
        match self {
            Self::Redirect => Some(Binding::Redirect),
            Self::Post => Some(Binding::Post),
            Self::Soap => Some(Binding::Soap),
            Self::None => None,
        }
    }
}

pub(super) async fn run(command: Command) -> anyhow::Result<bool> {
    if !command.listen.ip().is_loopback() && !command.allow_remote {
        let message = format!(
            "{} is reached from other machines, and this IdP asks nobody for a password; \
             if that is meant, add --allow-remote",
            command.listen
        );
        Cli::command().error(ErrorKind::ValueValidation, message).exit();
    }
    let shutdown = Shutdown::on_signals()?;
    let listener = TcpListener::bind(command.listen).await;
    let listener = listener.with_context(|| format!("listening on {}", command.listen))?;
    let port = listener.local_addr()?.port();
    let base = command.base_url.unwrap_or_else(|| format!("http://localhost:{port}"));
    let slo: Slo = command.slo.into_iter().filter_map(SloBinding::binding).collect();
    let (options, clock, rng) =
        (Options { slo, ..Options::default() }, Clock::system(), Rng::system());
    let idp = match &command.entity_id {
        Some(entity_id) => MockIdp::with_entity_id(&base, entity_id, options, clock, rng)?,
        None => MockIdp::new(&base, options, clock, rng)?,
    };
    idp.offer_users(command.users);
    idp.misbehave(Plan::of(command.faults))?;
    if let Some(source) = command.sp_metadata {
        let is_file = matches!(source, MetadataSource::File(_));
        match idp.trust_at(source.clone()).await {
            Ok(()) => {}
            // It does not come by itself, as a service that starts later does.
            Err(error) if is_file => return Err(error).context(format!("reading {source}")),
            Err(error) => {
                eprintln!(
                    "sloop: no metadata of the service provider yet, it is tried again: {error}"
                );
            }
        }
    }
    introduce(&idp, base.trim_end_matches('/'))?;
    let limits = Limits { drain: DRAIN, ..Limits::default() };
    lifecycle::serve(listener, idp.router(), limits, shutdown).await;
    Ok(true)
}

/// Says what is where.
fn introduce(idp: &MockIdp, base: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "A SAML IdP for tests. It asks nobody for a password.\n")?;
    for (what, path) in [
        ("who is signed in", "/"),
        ("metadata", "/metadata"),
        ("faults", "/faults"),
        ("journal", "/journal"),
    ] {
        writeln!(out, "  {what:<18}{base}{path}")?;
    }
    match idp.trusts() {
        Some(entity_id) => writeln!(out, "  {:<18}{entity_id}", "serves")?,
        None => {
            writeln!(out, "  serves            nobody yet: POST metadata to {base}/sp-metadata")?
        }
    }
    writeln!(out, "\nCtrl-C ends it.")?;
    out.flush()
}

/// Every fault with its line.
fn faults_help() -> String {
    let mut help = "Faults:\n".to_owned();
    for fault in Fault::ALL {
        let name = format!("{}{}", fault.name(), fault.value_syntax());
        help.push_str(&format!("  {name:<28} {}\n", fault.says()));
    }
    help.push_str("\nThe same names work while it runs: curl -d fault=partial -d times=1 …/faults");
    help
}
