use crate::clock::Clock;
use crate::config::Config;
use crate::declared;
use crate::lifecycle::Shutdown;
use crate::server::Server;
use crate::store::DatabaseUrl;

/// `sloop serve`
pub(super) async fn run(config: &Config) -> anyhow::Result<bool> {
    let shutdown = Shutdown::on_signals()?;
    let server = Server::start(config, &Clock::system(), shutdown.clone()).await?;
    if matches!(config.database, DatabaseUrl::Sqlite(_)) {
        for error in declared::sync(config, server.use_cases()).await {
            tracing::error!("{error}");
        }
        let watching =
            declared::watch(config.clone(), server.use_cases().clone(), shutdown.clone());
        tokio::spawn(watching);
    }
    tracing::info!(
        address = %server.address(),
        issuer = %config.issuer.as_str(),
        database = %config.database,
        "ready"
    );
    server.run().await;
    Ok(true)
}
