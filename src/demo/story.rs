//! The main job, done once by a browser that follows a script. Each step says what was seen; a step
//! that does not hold says what was seen instead, and the story goes on.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use super::app::{App, Receipt};
use super::browser::{Browser, BrowserError, Page, parameter};
use super::idp_begins::IdpBegins;
use super::stage::Stage;
use crate::id::LogoutId;
use crate::logout::{LegOutcome, Outcome};
use crate::mock_idp::Entry;
use crate::paths;
use crate::saml::{NameId, SessionIndex};
use crate::use_cases::{Failure, LogoutStory, UseCases};

pub(super) const USER: &str = "ada";
/// Logout tokens must not live longer, in seconds (Back-Channel Logout 1.0, 4 recommends two
/// minutes at most).
const TOKEN_LIFETIME: i64 = 120;
/// How often, and after which pauses, the story looks for what arrives without the browser: logout
/// tokens at the apps, and the outcome of all legs in the database.
pub(super) const LOOKS: u32 = 50;
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// What a step saw that it should not have seen.
#[derive(Debug, thiserror::Error)]
pub(super) enum Surprise {
    #[error(transparent)]
    Browser(#[from] BrowserError),
    #[error("the outcome cannot be read: {0}")]
    Outcome(#[from] Failure),
    #[error("{0}")]
    Seen(String),
}

/// What a step saw, if it was what it should be.
pub(super) type Step = Result<String, Surprise>;

/// Tells the story, one line for each step. Returns whether every step held.
///
/// # Errors
/// When nothing can be printed.
pub(super) async fn tell(stage: &Stage, out: &mut impl Write) -> io::Result<bool> {
    let mut story = Story::new(stage);
    let mut report = Report { out, number: 0, held: true };
    report.line("Sign in to app one", story.sign_in_to_app_one().await)?;
    report.line("Sign in to app two", story.sign_in_to_app_two().await)?;
    report.line("Sign out of app one", story.sign_out().await)?;
    report.line("The apps", story.apps_were_told().await)?;
    report.line("The browser", story.browser_came_home())?;
    report.line("The outcome", story.outcome().await)?;
    report.line("Afterwards", story.nobody_is_signed_in().await)?;
    let mut idp = IdpBegins::new(stage, story.browser);
    report.line("Sign in again", idp.sign_in_again().await)?;
    report.line("Sign out at the IdP", idp.sign_out_at_the_idp().await)?;
    report.line("The apps", idp.apps_were_told().await)?;
    report.line("The outcome", idp.outcome().await)?;
    Ok(report.held)
}

struct Report<'o, W> {
    out: &'o mut W,
    number: u32,
    held: bool,
}

impl<W: Write> Report<'_, W> {
    fn line(&mut self, title: &str, step: Step) -> io::Result<()> {
        self.number += 1;
        let (mark, seen) = match step {
            Ok(seen) => ("✓", seen),
            Err(surprise) => {
                self.held = false;
                ("✗", surprise.to_string())
            }
        };
        // What others wrote must not look like further lines.
        let seen: String = seen.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(self.out, "{mark} {} {title}: {seen}", self.number)?;
        self.out.flush()
    }
}

struct Story<'s> {
    stage: &'s Stage,
    browser: Browser,
    /// The `sid` that both apps were given.
    sid: Option<String>,
    /// Where the browser was after the logout.
    home: Option<Page>,
}

impl<'s> Story<'s> {
    fn new(stage: &'s Stage) -> Self {
        Self { stage, browser: Browser::new(stage.http.clone()), sid: None, home: None }
    }

    async fn sign_in_to_app_one(&mut self) -> Step {
        let asked = self.open_sign_in(&self.stage.app_one).await?;
        self.ensure_idp_asks(&asked)?;
        let page = self.browser.submit(&asked, "/login", &[("user", USER)]).await?;
        ensure_at(&page, &format!("{}/", self.stage.app_one.base()))?;
        let signed_in = self.stage.app_one.signed_in();
        let [person] = signed_in.as_slice() else {
            return seen(format!("{} sessions in app one instead of one", signed_in.len()));
        };
        self.sid = Some(person.sid.clone());
        let email = person.email.as_deref().unwrap_or("somebody without an e-mail address");
        Ok(format!("the IdP asked who is there; app one knows {email}"))
    }

    async fn sign_in_to_app_two(&mut self) -> Step {
        let page = self.open_sign_in(&self.stage.app_two).await?;
        ensure_at(&page, &format!("{}/", self.stage.app_two.base()))?;
        let signed_in = self.stage.app_two.signed_in();
        let [person] = signed_in.as_slice() else {
            return seen(format!("{} sessions in app two instead of one", signed_in.len()));
        };
        ensure(Some(&person.sid) == self.sid.as_ref(), || {
            "app two was given another sid than app one".to_owned()
        })?;
        let email = person.email.as_deref().unwrap_or("somebody without an e-mail address");
        Ok(format!("nothing was asked; app two knows {email}, in the same session (sid)"))
    }

    async fn sign_out(&mut self) -> Step {
        let before = self.browser.open(&format!("{}/", self.stage.app_one.base())).await?;
        self.home = Some(self.browser.submit(&before, "/sign-out", &[]).await?);

        let journal = self.stage.idp.journal();
        let issued = only(journal.iter().filter_map(Issued::of), "assertions of the IdP")?;
        let asked = only(journal.iter().filter_map(Asked::of), "LogoutRequests at the IdP")?;
        ensure(asked.signature_valid, || "the signature of the LogoutRequest was bad".to_owned())?;
        ensure(asked.name_id == issued.name_id, || {
            "the LogoutRequest names another NameID than was asserted".to_owned()
        })?;
        let index = issued.session_index;
        ensure(index.is_some() && asked.session_indexes.iter().eq(index), || {
            "the LogoutRequest names other SessionIndexes than were asserted".to_owned()
        })?;
        let left = self.stage.idp.sessions().len();
        ensure(asked.ended == 1 && left == 0, || {
            format!("the IdP ended {} sessions, and {left} are left", asked.ended)
        })?;
        Ok("the IdP got a LogoutRequest with a valid signature, NameID and SessionIndex as it \
            asserted them; its session is gone"
            .to_owned())
    }

    async fn apps_were_told(&self) -> Step {
        let told = [("app one", &self.stage.app_one), ("app two", &self.stage.app_two)];
        for (name, app) in told {
            for _ in 0..LOOKS {
                if !app.receipts().is_empty() {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
            let receipt = only(app.receipts().into_iter(), &format!("logout tokens at {name}"))?;
            self.ensure_right(name, app, &receipt)?;
        }
        Ok("each got one valid logout token (sid, events, exp); their sessions are gone".to_owned())
    }

    fn ensure_right(&self, name: &str, app: &App, receipt: &Receipt) -> Result<(), Surprise> {
        ensure(receipt.sid.is_some() && receipt.sid == self.sid, || {
            format!("the logout token for {name} names another sid")
        })?;
        ensure((1..=TOKEN_LIFETIME).contains(&receipt.lifetime), || {
            format!("the logout token for {name} lives for {} seconds", receipt.lifetime)
        })?;
        let left = app.signed_in().len();
        ensure(receipt.ended == 1 && left == 0, || {
            format!("at {name} the token ended {} sessions, and {left} are left", receipt.ended)
        })
    }

    fn browser_came_home(&self) -> Step {
        let Some(page) = &self.home else { return seen("it was never sent away") };
        ensure_at(page, &format!("{}/signed-out", self.stage.app_one.base()))?;
        let mut hops = page.hops.iter();
        let left_with = hops
            .find(|hop| hop.path() == paths::END_SESSION)
            .and_then(|hop| parameter(hop, "state"));
        ensure(left_with.is_some() && page.parameter("state") == left_with, || {
            "the state is not the one that it left with".to_owned()
        })?;
        Ok(format!("it landed at {} with the state that it left with", page.address()))
    }

    async fn outcome(&self) -> Step {
        let use_cases = self.stage.use_cases();
        let logouts = use_cases.logouts(2).await?;
        let id = only(logouts.into_iter(), "logouts in the database")?.id;
        let (logout, text) = settled(use_cases, id).await?;
        let parties: BTreeSet<_> = logout.legs.iter().map(|leg| leg.party.as_str()).collect();
        let confirmed = |leg: Option<LegOutcome>| leg == Some(LegOutcome::Confirmed);
        ensure(
            logout.outcome == Outcome::Complete
                && parties == BTreeSet::from(["IdP corp", "app app-one", "app app-two"])
                && logout.legs.iter().all(|leg| confirmed(leg.outcome)),
            || text.clone(),
        )?;
        Ok(text)
    }

    async fn nobody_is_signed_in(&mut self) -> Step {
        let silent = format!("{}/sign-in?prompt=none", self.stage.app_two.base());
        let page = self.browser.open(&silent).await?;
        ensure_at(&page, &format!("{}/callback", self.stage.app_two.base()))?;
        let error = page.parameter("error");
        ensure(error.as_deref() == Some("login_required"), || {
            format!("prompt=none gave {}", error.as_deref().unwrap_or("no error"))
        })?;
        let page = self.open_sign_in(&self.stage.app_two).await?;
        self.ensure_idp_asks(&page)?;
        Ok("prompt=none gives app two login_required, and a new sign-in asks again".to_owned())
    }

    async fn open_sign_in(&mut self, app: &App) -> Result<Page, BrowserError> {
        self.browser.open(&format!("{}/sign-in", app.base())).await
    }

    /// Whether the browser rests at the page of the IdP where somebody types a name.
    fn ensure_idp_asks(&self, page: &Page) -> Result<(), Surprise> {
        ensure_at(page, &format!("{}/sso", self.stage.idp_url))
    }
}

/// What the IdP asserted.
struct Issued<'j> {
    name_id: &'j NameId,
    session_index: Option<&'j SessionIndex>,
}

impl<'j> Issued<'j> {
    fn of(entry: &'j Entry) -> Option<Self> {
        match entry {
            Entry::Issued { name_id, session_index, .. } => {
                Some(Self { name_id, session_index: session_index.as_ref() })
            }
            _ => None,
        }
    }
}

/// What the IdP was asked to end.
struct Asked<'j> {
    name_id: &'j NameId,
    session_indexes: &'j [SessionIndex],
    signature_valid: bool,
    ended: usize,
}

impl<'j> Asked<'j> {
    fn of(entry: &'j Entry) -> Option<Self> {
        match entry {
            Entry::LogoutRequest { name_id, session_indexes, signature_valid, ended, .. } => {
                Some(Self {
                    name_id,
                    session_indexes,
                    signature_valid: *signature_valid,
                    ended: *ended,
                })
            }
            _ => None,
        }
    }
}

/// A logout when all its legs have an outcome, or as it is after a while, and what is said of it.
pub(super) async fn settled(
    use_cases: &UseCases,
    id: LogoutId,
) -> Result<(LogoutStory, String), Surprise> {
    let mut logout = use_cases.logout_story(id).await?;
    for _ in 0..LOOKS {
        if logout.settled_at.is_some() {
            break;
        }
        tokio::time::sleep(PAUSE).await;
        logout = use_cases.logout_story(id).await?;
    }
    let legs: Vec<_> =
        logout.legs.iter().map(|leg| format!("{} {}", leg.party, leg.said)).collect();
    let text = format!("{}; {}", logout.outcome, legs.join("; "));
    Ok((logout, text))
}

pub(super) fn ensure_at(page: &Page, address: &str) -> Result<(), Surprise> {
    let found = page.address();
    ensure(page.status == 200 && found == address, || {
        format!("the browser is at {found} (status {}) instead of {address}", page.status)
    })
}

pub(super) fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Surprise> {
    if holds { Ok(()) } else { Err(Surprise::Seen(otherwise())) }
}

fn seen<T>(what: impl Into<String>) -> Result<T, Surprise> {
    Err(Surprise::Seen(what.into()))
}

pub(super) fn only<T>(found: impl Iterator<Item = T>, what: &str) -> Result<T, Surprise> {
    let mut found: Vec<T> = found.collect();
    match (found.pop(), found.len()) {
        (Some(only), 0) => Ok(only),
        (last, others) => {
            let count = others + usize::from(last.is_some());
            seen(format!("{count} {what} instead of one"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_does_not_hold_is_marked_and_remembered() {
        let mut out = Vec::new();
        let mut report = Report { out: &mut out, number: 0, held: true };
        report.line("one", Ok("as it should be".into())).unwrap();
        assert!(report.held);
        report.line("two", seen("another\nthing")).unwrap();
        report.line("three", Ok("fine".into())).unwrap();
        assert!(!report.held);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "✓ 1 one: as it should be\n✗ 2 two: another thing\n✓ 3 three: fine\n");
    }

    #[test]
    fn exactly_one_is_neither_none_nor_two() {
        assert_eq!(only([7].into_iter(), "numbers").unwrap(), 7);
        let error = |found: Vec<u8>| only(found.into_iter(), "numbers").unwrap_err().to_string();
        assert_eq!(error(vec![]), "0 numbers instead of one");
        assert_eq!(error(vec![1, 2, 3]), "3 numbers instead of one");
    }
}
