//! `sloop demo`: the bridge, the test IdP and two sample apps on loopback, and a story that signs
//! somebody in and out over real HTTP and says what every party saw.

mod app;
mod browser;
mod folder;
mod html;
mod http;
mod idp_begins;
mod stage;
mod story;
#[cfg(test)]
mod tests;

use std::io::{self, Write};

use crate::lifecycle::Shutdown;
use crate::mock_idp;
use crate::oidc::IssuerError;
use crate::server::ServerError;
use crate::use_cases::Failure;

use self::http::HttpError;
use self::stage::Stage;

/// Why there is no demo. That a step of the story did not hold is no error.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("no port on 127.0.0.1 could be opened: {0}")]
    Listen(#[source] io::Error),
    #[error("the temporary folder {path}: {error}")]
    Folder { path: String, error: io::Error },
    #[error("the address of the bridge is no issuer: {0}")]
    Issuer(#[from] IssuerError),
    #[error("the bridge did not start: {0}")]
    Bridge(#[from] ServerError),
    #[error("the test IdP did not start: {0}")]
    Idp(#[from] mock_idp::SetupError),
    #[error("the test IdP does not take the bridge's metadata: {0}")]
    Metadata(#[from] mock_idp::ServiceProviderError),
    #[error("no token for the admin API: {0}")]
    AdminToken(#[from] Failure),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("{what} answered {status}: {body}")]
    SetUp { what: &'static str, status: u16, body: String },
    #[error("nothing can be printed: {0}")]
    Output(#[from] io::Error),
}

/// Sets everything up and tells the story to `out`. Then it ends if `once`, or stays for a browser
/// until SIGINT or SIGTERM. Returns whether every step held. It prints no colours.
///
/// # Errors
/// When a part does not start, or nothing can be printed.
pub async fn run(once: bool, out: &mut impl Write) -> Result<bool, DemoError> {
    if once {
        return perform(out, async |_, _| Ok(())).await;
    }
    let stop = Shutdown::on_signals()?;
    let stay = async |stage: &Stage, out: &mut _| {
        invite(stage, out)?;
        stop.begun().await;
        Ok(())
    };
    perform(out, stay).await
}

/// One performance: whatever happens in it, everything is stopped and removed at the end.
async fn perform<W: Write>(
    out: &mut W,
    afterwards: impl AsyncFnOnce(&Stage, &mut W) -> io::Result<()>,
) -> Result<bool, DemoError> {
    let stage = Stage::set_up(mock_idp::Options::default()).await?;
    let told = async {
        writeln!(
            out,
            "One person, one IdP, two apps; they sign out at an app, and then at the IdP:\n"
        )?;
        let held = story::tell(&stage, out).await?;
        let verdict = if held { "Every step held." } else { "Not every step held." };
        writeln!(out, "\n{verdict}")?;
        afterwards(&stage, out).await?;
        Ok(held)
    }
    .await;
    stage.clear().await;
    told
}

fn invite(stage: &Stage, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\nNow you. Everything runs on this machine, and is gone when it stops.\n")?;
    for (name, url) in stage.addresses() {
        writeln!(out, "  {name:<12} {url}")?;
    }
    writeln!(out, "\nCtrl-C ends the demo.")?;
    out.flush()
}
