//! How often each thing happened. A change that keeps something from happening at all fails the test,
//! instead of passing it because there was nothing to look at.

use std::collections::BTreeMap;

use super::world::World;
use crate::change::Change;
use crate::logout::{AppChannel, Ends, Leg, LegOutcome, Logout, Party, Rung};

/// What must happen in 100,000 runs, at least: about a third of what was counted. Everything that is
/// noted stands here, and the other way round.
const FLOORS: &[(&str, u64)] = &[
    ("SOAP: Err(Connect)", 66),
    ("SOAP: Err(Interrupted)", 100),
    ("SOAP: Err(Timeout)", 100),
    ("SOAP: Ok(200)", 4_000),
    ("SOAP: Ok(204)", 150),
    ("SOAP: Ok(400)", 110),
    ("SOAP: Ok(429)", 30),
    ("SOAP: Ok(500)", 80),
    ("SOAP: Ok(503)", 66),
    ("app: Err(Connect)", 27_000),
    ("app: Err(Interrupted)", 3_800),
    ("app: Err(Timeout)", 3_500),
    ("app: Ok(200)", 93_000),
    ("app: Ok(204)", 5_600),
    ("app: Ok(400)", 3_900),
    ("app: Ok(429)", 2_600),
    ("app: Ok(500)", 2_800),
    ("app: Ok(503)", 2_800),
    ("audit: app_session.ended", 2_100),
    ("audit: code.reused", 32_000),
    ("audit: leg.closed", 160_000),
    ("audit: leg.retried", 520),
    ("audit: leg.sent", 40_000),
    ("audit: leg.tried", 42_000),
    ("audit: logout.answer_refused", 5_400),
    ("audit: logout.answered", 99_000),
    ("audit: logout.begun", 99_000),
    ("audit: logout.settled", 100_000),
    ("audit: logout_request.carried_out", 43_000),
    ("audit: logout_request.refused", 1_300),
    ("audit: person.signed_out", 11_000),
    ("audit: relogin_lock.refused", 9_700),
    ("audit: relogin_lock.set", 40_000),
    ("audit: session.ended", 97_000),
    ("audit: sign_in.completed", 280_000),
    ("audit: sign_in.refused", 9_900),
    ("commit: done unseen", 33_000),
    ("commit: done when its node has given up", 17_000),
    ("commit: lost", 21_000),
    ("commit: never done", 21_000),
    ("commit: the database is busy", 10_000),
    ("conflict: AddEndedPrincipal", 8_200),
    ("conflict: AdvanceBrowserSession", 39_000),
    ("conflict: AdvanceLogout", 22_000),
    ("conflict: BeginLogout", 10),
    ("conflict: EndBrowserSession", 33_000),
    ("conflict: SaveEndedPrincipal", 6),
    ("conflict: TakeAuthnRequest", 17_000),
    ("conflict: TakeHeldSignIn", 850),
    ("conflict: TakeLogoutQuestion", 110),
    ("leg: IdP confirmed", 6_500),
    ("leg: IdP confirmed from the start", 14_000),
    ("leg: IdP no_answer", 9_800),
    ("leg: IdP not_sent", 4_600),
    ("leg: IdP not_sent from the start", 11_000),
    ("leg: IdP partial", 1_300),
    ("leg: IdP refused", 1_600),
    ("leg: IdP unconfirmed", 3_200),
    ("leg: SOAP confirmed", 2_500),
    ("leg: SOAP confirmed from the start", 1_600),
    ("leg: SOAP no_answer", 400),
    ("leg: SOAP not_sent from the start", 1_600),
    ("leg: SOAP partial", 470),
    ("leg: SOAP refused", 450),
    ("leg: SOAP unconfirmed", 100),
    ("leg: URL confirmed from the start", 1_300),
    ("leg: URL not_sent", 460),
    ("leg: URL not_sent from the start", 1_700),
    ("leg: URL unconfirmed", 2_200),
    ("leg: a late answer counts", 1_200),
    ("leg: app confirmed", 94_000),
    ("leg: app dead_letter", 1_100),
    ("leg: app not_sent", 3),
    ("leg: app refused", 3_600),
    ("leg: frame no_answer", 3_500),
    ("leg: frame not_sent", 11_000),
    ("leg: frame not_sent from the start", 8_100),
    ("leg: frame unconfirmed", 9_700),
    ("leg: local confirmed from the start", 470),
    ("leg: local not_possible from the start", 5_500),
    ("leg: local not_sent from the start", 3),
    ("leg: login URL confirmed", 100),
    ("leg: login URL confirmed from the start", 1_400),
    ("leg: login URL not_sent", 330),
    ("leg: login URL not_sent from the start", 1_400),
    ("leg: login URL partial", 20),
    ("leg: login URL refused", 10),
    ("leg: login URL unconfirmed", 1_900),
    ("leg: tried again", 1_700),
    ("logout: Admin", 4_900),
    ("logout: Apps, AllApps", 1_900),
    ("logout: Expired", 1_700),
    ("logout: IdpInitiated", 20_000),
    ("logout: Offboarded", 1_800),
    ("logout: Person", 20_000),
    ("logout: RpInitiated", 33_000),
    ("logout: Session, AllApps", 20_000),
    ("logout: Session, AllAppsAndIdp", 77_000),
    ("logout: SwitchedUser", 16_000),
    ("logout: an app that ended alone is told again", 660),
    ("logout: several IdP sessions", 1_300),
    ("logout: somebody was left", 10_000),
    ("request: several SessionIndexes", 760),
    ("sign-in: a further session of the same IdP", 32_000),
    ("sign-in: by an old session, in spite of ForceAuthn", 18_000),
    ("sign-in: older than prompt=login demands", 2_000),
    ("wish: a logout's page", 93_000),
    ("wish: an IdP's answer", 40_000),
    ("wish: an IdP's request in a browser", 45_000),
    ("wish: an IdP's request without a cookie", 31_000),
    ("wish: an administrator ends a session", 10_000),
    ("wish: an administrator has apps told again", 7_100),
    ("wish: an administrator off-boards", 12_000),
    ("wish: claims", 59_000),
    ("wish: continue a sign-in", 380_000),
    ("wish: end_session by Get", 71_000),
    ("wish: end_session by Post", 23_000),
    ("wish: frames done", 13_000),
    ("wish: press Ask again", 2_600),
    ("wish: press Go on", 1_700),
    ("wish: press Go on, of nothing", 800),
    ("wish: press Sign out", 20_000),
    ("wish: press Stay signed in", 4_600),
    ("wish: press Try again", 3_400),
    ("wish: redeem a code", 250_000),
    ("wish: sign in anyway", 1_700),
    ("wish: sign in, prompt Absent", 380_000),
    ("wish: sign in, prompt Login", 82_000),
    ("wish: sign in, prompt None", 44_000),
    ("wish: stay signed out", 1_000),
    ("wish: the person's own page", 76_000),
    ("wish: the worker looks", 150_000),
    ("wish: the worker looks whose time is over", 23_000),
    ("wish: ticks of the person's own page", 58_000),
    ("wish: v2/logout", 25_000),
    ("world: a node dies", 51_000),
    ("world: a node dies with something under way", 100_000),
];

const RUNS: u64 = 100_000;

#[derive(Default)]
pub(super) struct Tally(BTreeMap<String, u64>);

impl Tally {
    pub(super) fn note(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(super) fn add(&mut self, other: Self) {
        for (what, count) in other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    pub(super) fn print(&self) {
        for (what, count) in &self.0 {
            println!("{count:>9}  {what}");
        }
    }

    /// # Panics
    /// If something happened too rarely in so many runs, or has no floor.
    pub(super) fn check(&self, runs: u64) {
        let found = |what: &str| self.0.get(what).copied().unwrap_or_default();
        // Fewer by three standard deviations are chance, which weighs heavily in a few runs.
        let least = |expected: u64| expected.saturating_sub(3 * expected.isqrt());
        let rare = |(what, floor): &&(&str, u64)| found(what) < least(floor * runs / RUNS);
        let rare: Vec<_> =
            FLOORS.iter().filter(rare).map(|(what, _)| (what, found(what))).collect();
        assert!(rare.is_empty(), "in {runs} runs happened too rarely: {rare:?}");
        let has_floor =
            |what: &str| FLOORS.iter().any(|(known, floor)| *known == what && *floor > 0);
        let unknown: Vec<_> = self.0.keys().filter(|what| !has_floor(what)).collect();
        assert!(unknown.is_empty(), "nothing says how often this must happen: {unknown:?}");
    }
}

impl World<'_> {
    /// Of a commit, before the model has it.
    pub(super) fn note_commit(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::BeginLogout { logout, .. } => self.note_logout(logout),
                Change::SaveLeg { leg } => self.note_leg(leg),
                Change::Record(event) => self.tally.note(format!("audit: {}", event.kind.as_str())),
                _ => {}
            }
        }
    }

    fn note_logout(&mut self, logout: &Logout) {
        let document = &logout.document;
        self.tally.note(format!("logout: {:?}", document.reason));
        self.tally.note(format!("logout: {:?}, {:?}", document.ends, document.scope));
        if document.ends == Ends::Session && !document.left.is_empty() {
            self.tally.note("logout: somebody was left");
        }
        let idps = logout.legs.iter().filter(|leg| leg.is_idp()).count();
        if idps > 1 {
            self.tally.note("logout: several IdP sessions");
        }
        let session = &self.model.sessions[&document.browser_session].session;
        let told_again = logout.legs.iter().any(|leg| match &leg.party {
            Party::App { client, .. } => {
                !session.app_sessions.iter().any(|held| held.client == *client)
            }
            Party::Idp { .. } => false,
        });
        if told_again {
            self.tally.note("logout: an app that ended alone is told again");
        }
        for leg in &logout.legs {
            if let Some(outcome) = leg.outcome() {
                self.tally.note(format!("leg: {} {outcome} from the start", kind(leg)));
            }
        }
    }

    fn note_leg(&mut self, leg: &Leg) {
        let known = self.model.logouts.values().find_map(|known| known.logout.leg(leg.id));
        let before = known.expect("a known leg");
        if before.outcome() != leg.outcome()
            && let Some(outcome) = leg.outcome()
        {
            self.tally.note(format!("leg: {} {outcome}", kind(leg)));
        }
        use LegOutcome::{Confirmed, NoAnswer, Partial, Refused, Unconfirmed};
        if matches!(before.outcome(), Some(NoAnswer | Unconfirmed))
            && matches!(leg.outcome(), Some(Confirmed | Partial | Refused))
        {
            self.tally.note("leg: a late answer counts");
        }
        if leg.tried_again_at > before.tried_again_at {
            self.tally.note("leg: tried again");
        }
    }
}

/// How a party is told.
fn kind(leg: &Leg) -> &'static str {
    match &leg.party {
        Party::App { channel: AppChannel::BackChannel, .. } => "app",
        Party::App { channel: AppChannel::FrontChannel { .. }, .. } => "frame",
        Party::Idp { rung: Rung::SingleLogout { .. }, .. } => "IdP",
        Party::Idp { rung: Rung::AsynchronousLogout { .. }, .. } => "asynchronous IdP",
        Party::Idp { rung: Rung::Soap { .. }, .. } => "SOAP",
        Party::Idp { rung: Rung::LoginUrl { .. }, .. } => "login URL",
        Party::Idp { rung: Rung::Url { .. }, .. } => "URL",
        Party::Idp { rung: Rung::Local { .. }, .. } => "local",
    }
}
