use crate::clock::Clock;
use crate::config::Config;
use crate::lifecycle::Shutdown;
use crate::server::Server;

/// `sloop serve`
pub(super) async fn run(config: &Config) -> anyhow::Result<bool> {
    let shutdown = Shutdown::on_signals()?;
    let server = Server::start(config, &Clock::system(), shutdown).await?;
    tracing::info!(
        address = %server.address(),
        issuer = %config.issuer.as_str(),
        database = %config.database,
        "ready"
    );
    server.run().await;
    Ok(true)
}
