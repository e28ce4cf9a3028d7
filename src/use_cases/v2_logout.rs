//! `/v2/logout`: logout in the manner of Auth0, with lists of its own.

use crate::change::LogoutQuestion;
use crate::oidc::{Confirm, LogoutScope, Params, V2LogoutRequest, without_query};
use crate::use_cases::{Browser, Failure, Reply, TRIES, UseCases};

impl UseCases {
    /// Ends the session of the browser's cookie. It needs no hint and asks nothing, so HTTP lets
    /// only top-level navigations come here.
    ///
    /// # Errors
    /// [`Failure::Client`] for an unknown `client_id` or a `returnTo` that is on no list; nothing is
    /// ended then.
    pub async fn v2_logout(&self, params: &Params, browser: &Browser) -> Result<Reply, Failure> {
        let question = self.v2_question(params).await?;
        for _ in 0..TRIES {
            let read = self.store().sessions_to_end(browser.session_hash(), None).await?;
            let [cookie, _] = read.found;
            let Some(session) = cookie else {
                return self.resume_or_nobody(&question, browser, read.now).await;
            };
            let ended = self.end(&session, &question, None, false, browser, read.now).await?;
            if let Some(reply) = ended {
                return Ok(reply);
            }
        }
        Err(Failure::Contended)
    }

    async fn v2_question(&self, params: &Params) -> Result<LogoutQuestion, Failure> {
        let refuse = |code, client: &str, detail: String| Failure::Client {
            code,
            client: client.to_owned(),
            detail,
        };
        let request = V2LogoutRequest::parse(params)
            .map_err(|error| refuse("invalid_request", "", error.to_string()))?;
        let client = match &request.client_id {
            Some(id) => {
                let found = self.view().await?.client(id).await?;
                let unknown = || refuse("unknown_client", id.as_str(), "no such client".into());
                Some(found.ok_or_else(unknown)?)
            }
            None => None,
        };
        let client = client.as_ref().map(|registered| registered.client.as_ref());
        let name = client.map(|client| client.id.as_str()).unwrap_or_default();
        // With `client_id` that client's list counts, without it the tenant's; never both.
        let allowed = client
            .map_or(&self.settings().allowed_logout_urls, |client| &client.allowed_logout_urls);
        let target = match request.return_to.as_deref() {
            Some(raw) => {
                let on_list = allowed.iter().find_map(|entry| entry.matches(raw));
                // Without what stands behind it, which may be personal and goes to the log.
                let address = without_query(raw);
                let missing = || refuse("return_to", name, format!("{address:?} is on no list"));
                Some(on_list.ok_or_else(missing)?.as_str().to_owned())
            }
            // The first entry that is a URL by itself; one with a wildcard names no page.
            None => client
                .and(allowed.iter().find_map(|entry| entry.matches(entry.as_str())))
                .map(|url| url.as_str().to_owned()),
        };
        let ceiling = client.map_or(self.settings().logout_scope, |client| client.scope);
        Ok(LogoutQuestion {
            scope: scope(request.federated, ceiling),
            confirm: Confirm::Auto,
            initiator: client.map(|client| client.id.clone()),
            target,
            result_wanted: client.is_some_and(|client| client.logout_result),
            target_refused: false,
            hint: None,
            named: None,
            asked: false,
            asked_of: None,
            language: request.language,
            page_seed: self.page_seed(),
        })
    }
}

/// `federated` lifts the scope to the ceiling; without it the IdP is left alone.
fn scope(federated: bool, ceiling: LogoutScope) -> LogoutScope {
    match (federated, ceiling) {
        (true, ceiling) => ceiling,
        (false, LogoutScope::OpOnly) => LogoutScope::OpOnly,
        (false, _) => LogoutScope::AllApps,
    }
}
