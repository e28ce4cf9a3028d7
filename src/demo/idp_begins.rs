//! The second act: the same person signs out at the IdP, and the apps hear of it.

use super::app::Receipt;
use super::browser::Browser;
use super::stage::Stage;
use super::story::{LOOKS, PAUSE, Step, Surprise, USER, ensure, ensure_at, only, settled};
use crate::logout::{LegOutcome, Outcome};
use crate::mock_idp::Entry;

pub(super) struct IdpBegins<'s> {
    stage: &'s Stage,
    browser: Browser,
    /// The `sid` of the new session.
    sid: Option<String>,
}

impl<'s> IdpBegins<'s> {
    /// With the browser of the first act, in which nobody is signed in any more.
    pub(super) fn new(stage: &'s Stage, browser: Browser) -> Self {
        Self { stage, browser, sid: None }
    }

    pub(super) async fn sign_in_again(&mut self) -> Step {
        let (one, two) = (&self.stage.app_one, &self.stage.app_two);
        let asked = self.browser.open(&format!("{}/sign-in", one.base())).await?;
        self.browser.submit(&asked, "/login", &[("user", USER)]).await?;
        self.browser.open(&format!("{}/sign-in", two.base())).await?;
        let people = [one.signed_in(), two.signed_in()].concat();
        let sids: Vec<&str> = people.iter().map(|person| person.sid.as_str()).collect();
        ensure(matches!(sids[..], [one, two] if one == two), || {
            format!("the apps have {} sessions instead of one each with the same sid", sids.len())
        })?;
        self.sid = sids.first().map(|sid| (*sid).to_owned());
        Ok("the same person is in both apps, in a new session".to_owned())
    }

    pub(super) async fn sign_out_at_the_idp(&mut self) -> Step {
        let home = self.browser.open(&format!("{}/", self.stage.idp_url)).await?;
        let end = self.browser.submit(&home, "/logout", &[]).await?;
        ensure_at(&end, &format!("{}/slo", self.stage.idp_url))?;
        let journal = self.stage.idp.journal();
        let begun = only(journal.iter().filter_map(id_of_begun), "LogoutRequests of the IdP")?;
        let answered = journal.iter().any(|entry| {
            matches!(entry, Entry::LogoutResponse {
                in_response_to, status, signature_valid: true, relay_state_returned: Some(true), ..
            } if in_response_to == begun && status == "Success")
        });
        ensure(answered, || "the IdP got no signed Success with its RelayState".to_owned())?;
        Ok("the bridge got the IdP's LogoutRequest, and the IdP a signed Success with its \
            RelayState"
            .to_owned())
    }

    pub(super) async fn apps_were_told(&self) -> Step {
        for (name, app) in [("app one", &self.stage.app_one), ("app two", &self.stage.app_two)] {
            let of_it = |receipt: &Receipt| receipt.sid.is_some() && receipt.sid == self.sid;
            for _ in 0..LOOKS {
                if app.receipts().iter().any(of_it) {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
            let receipts = app.receipts().into_iter().filter(of_it);
            let receipt = only(receipts, &format!("logout tokens of this session at {name}"))?;
            let left = app.signed_in().len();
            ensure(receipt.ended == 1 && left == 0, || {
                format!("at {name} the token ended {} sessions, and {left} are left", receipt.ended)
            })?;
        }
        Ok("each got one valid logout token of the new session; their sessions are gone".to_owned())
    }

    pub(super) async fn outcome(&self) -> Step {
        let use_cases = self.stage.use_cases();
        let logouts = use_cases.logouts(3).await?;
        let [newest, _] = logouts.as_slice() else {
            return Err(Surprise::Seen(format!("{} logouts instead of two", logouts.len())));
        };
        let (logout, text) = settled(use_cases, newest.id).await?;
        let confirmed = |leg: Option<LegOutcome>| leg == Some(LegOutcome::Confirmed);
        ensure(
            logout.outcome == Outcome::Complete
                && logout.legs.len() == 3
                && logout.legs.iter().all(|leg| confirmed(leg.outcome)),
            || text.clone(),
        )?;
        Ok(text)
    }
}

fn id_of_begun(entry: &Entry) -> Option<&str> {
    match entry {
        Entry::LogoutBegun { id, .. } => Some(id),
        _ => None,
    }
}
