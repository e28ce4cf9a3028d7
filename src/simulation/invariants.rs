//! What must be true of every transaction (design: I1 to I12): it is held against the model as it was
//! before, and against what is true outside.

use super::installation::{SP, entity, idp};
use super::model::Session;
use super::parties::number_of;
use super::world::World;
use crate::audit::AuditKind;
use crate::change::{Change, EndedPrincipal};
use crate::id::{BrowserSessionId, ClientId, LegId, LogoutId};
use crate::logout::{Ends, Leg, LegOutcome, LegState, Logout, Party, PartyId, Reason, Rung, Ticks};
use crate::oidc::LogoutScope;
use crate::secret::TokenHash;
use crate::session::BrowserSession;

impl World<'_> {
    pub(super) fn check_commit(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::EndBrowserSession { id, .. } => self.check_end(*id, changes),
                Change::EndAppSession { browser_session, app, codes } => {
                    self.check_app_end(*browser_session, &app.client, codes, changes);
                }
                Change::LiftReloginLock { leg, .. } => self.check_lift(*leg, changes),
                Change::BeginLogout { logout, .. } => self.check_beginning(logout, changes),
                Change::SaveLeg { leg } => {
                    self.check_leg(leg, changes);
                    self.note_question(leg);
                }
                Change::AddCode(code) => self.check_lives(code.browser_session, changes),
                Change::AddAccessToken(token) => self.check_lives(token.browser_session, changes),
                Change::AddAppSession { browser_session, .. } => {
                    self.check_lives(*browser_session, changes);
                }
                Change::SaveIdpSession { browser_session, .. } => {
                    self.check_lives(*browser_session, changes);
                }
                Change::AskLogout { handle, question, .. } => {
                    self.check_target(question.target.as_ref());
                    self.truth.questions.insert(*handle, (**question).clone());
                }
                _ => {}
            }
        }
        self.check_records(changes);
    }

    /// I2, I12: nothing is added to what has ended, nor without its version.
    fn check_lives(&self, session: BrowserSessionId, changes: &[Change]) {
        let guarded = changes.iter().any(|change| match change {
            Change::BeginBrowserSession { session: begun, .. } => begun.id == session,
            Change::AdvanceBrowserSession { id, .. } => *id == session,
            _ => false,
        });
        let ended = self.model.sessions.get(&session).is_some_and(|known| known.ended.is_some());
        assert!(guarded && !ended, "I12: something is added to session {session}: {changes:?}");
    }

    /// I1: a session ends together with the logout that says whom to tell.
    fn check_end(&self, session: BrowserSessionId, changes: &[Change]) {
        let logouts = changes.iter().filter(|change| {
            matches!(change, Change::BeginLogout { logout, .. }
                if logout.document.browser_session == session
                    && logout.document.ends == Ends::Session)
        });
        assert_eq!(logouts.count(), 1, "I1: session {session} ends: {changes:?}");
    }

    /// I1, I2: an app's part ends together with the logout that tells it, with every code of it, and by
    /// the version of its session.
    fn check_app_end(
        &self,
        session: BrowserSessionId,
        client: &ClientId,
        codes: &[TokenHash],
        changes: &[Change],
    ) {
        self.check_lives(session, changes);
        let logouts = changes.iter().filter(|change| {
            matches!(change, Change::BeginLogout { logout, .. }
                if logout.document.browser_session == session
                    && logout.document.ends == Ends::Apps)
        });
        assert_eq!(logouts.count(), 1, "I1: {client} ends alone: {changes:?}");
        let mut known = self.model.codes.iter();
        let forgotten = known.find(|(hash, code)| {
            let own = code.session == session && code.client == *client;
            own && code.ended.is_none() && !codes.contains(hash)
        });
        assert!(forgotten.is_none(), "I2: a code of {client} outlives its end");
    }

    /// I12: a re-login lock goes when its IdP confirms, or with a sign-in for which the IdP has
    /// authenticated the person since, or to which the person has said yes.
    fn check_lift(&self, leg: LegId, changes: &[Change]) {
        let Some((lock, _)) = self.model.locks.get(&leg) else { return };
        let confirmed = changes.iter().any(|change| {
            matches!(change, Change::SaveLeg { leg: saved }
                if saved.id == leg && saved.outcome() == Some(LegOutcome::Confirmed))
        });
        let said_yes = changes.iter().any(|change| {
            matches!(change, Change::RememberAssertion { assertion_id, .. }
                if self.truth.anyway.contains(assertion_id))
        });
        let fresh = changes.iter().any(|change| {
            matches!(change, Change::SaveIdpSession { session, .. }
                if session.idp == lock.idp && session.signed_in.authn_instant > lock.fresh_after)
        });
        assert!(confirmed || said_yes || fresh, "I12: {lock:?} is lifted: {changes:?}");
    }

    fn check_beginning(&self, logout: &Logout, changes: &[Change]) {
        let document = &logout.document;
        let id = document.browser_session;
        let ends = changes.iter().any(
            |change| matches!(change, Change::EndBrowserSession { id: ended, .. } if *ended == id),
        );
        let whole = document.ends == Ends::Session;
        assert_eq!(ends, whole, "I1: a logout of session {id} begins: {changes:?}");
        let known = &self.model.sessions[&id];
        assert_eq!(document.sid, known.session.sid);
        self.check_target(document.target.as_ref());
        match document.ends {
            Ends::Session => self.check_whole(logout, known),
            Ends::Apps => check_apps_alone(logout, changes),
        }
        let left_allowed = document.reason == Reason::Person || document.left.is_empty();
        assert!(left_allowed, "I3: {:?} leaves {:?}", document.reason, document.left);
        match document.reason {
            Reason::IdpInitiated => self.check_idp_may(logout, &known.session, changes),
            Reason::Person => self.check_ticks(logout, known, changes),
            _ => {}
        }
        self.check_locks(logout, changes);
    }

    /// I3: nobody is forgotten, and nobody is told twice. An app that ended alone and may not know is told
    /// again; it may have confirmed since that was looked at.
    fn check_whole(&self, logout: &Logout, known: &Session) {
        let (id, scope, left) = (logout.id, logout.document.scope, &logout.document.left);
        let session = &known.session;
        let told = apps_of(logout);
        let mut once = told.clone();
        once.dedup();
        assert_eq!(told, once, "I3: apps of {id} are told twice");
        let is_left = |app: &ClientId| left.contains(&PartyId::of_app(app));
        let mut must: Vec<&ClientId> = Vec::new();
        if scope != LogoutScope::OpOnly {
            let apps = session.app_sessions.iter().map(|held| &held.client);
            must.extend(apps.filter(|app| !is_left(app)));
            must.extend(known.joined.iter().map(|(app, _)| app).filter(|app| {
                !known.holds(app) && self.last_heard(session.id, app) != Some(LegOutcome::Confirmed)
            }));
        }
        let forgotten = must.iter().find(|app| !told.contains(app));
        assert!(forgotten.is_none(), "I3: {id} forgets {forgotten:?}");
        let may = |app: &&ClientId| {
            scope != LogoutScope::OpOnly && known.was_joined_by(app) && !is_left(app)
        };
        let stranger = told.iter().find(|app| !may(app));
        assert!(stranger.is_none(), "I3: {id} tells {stranger:?}");
        let idps = session.idp_sessions.iter().filter(|held| {
            scope == LogoutScope::AllAppsAndIdp
                && !left.contains(&PartyId::Idp { idp: held.idp.clone() })
        });
        let asked = logout.legs.iter().filter(|leg| leg.is_idp()).count();
        assert_eq!(asked, idps.count(), "I3: IdP sessions of {id}");
    }

    /// What became of the newest logout of this app alone.
    fn last_heard(&self, session: BrowserSessionId, app: &ClientId) -> Option<LegOutcome> {
        let alone = self.model.logouts.values().filter(|known| {
            let document = &known.logout.document;
            document.browser_session == session && document.ends == Ends::Apps
        });
        let newest = alone.filter(|known| apps_of(&known.logout).contains(app));
        let newest = newest.max_by_key(|known| known.begun)?;
        let leg = newest
            .logout
            .legs
            .iter()
            .find(|leg| matches!(&leg.party, Party::App { client, .. } if client == app));
        leg?.outcome()
    }

    /// I3, I8: a person's logout is what their ticks say, read off decision 0017, and nothing else.
    fn check_ticks(&self, logout: &Logout, known: &Session, changes: &[Change]) {
        let mut found = (logout.document.ends, logout.document.scope, Vec::new(), Vec::new());
        found.2.extend(changes.iter().filter_map(|change| match change {
            Change::EndAppSession { app, .. } => Some(app.client.clone()),
            _ => None,
        }));
        found.3.extend(logout.document.left.iter().map(ToString::to_string));
        found.2.sort();
        found.3.sort();
        let by = self
            .truth
            .ticked
            .iter()
            .filter(|form| form.cookie.is_some_and(|own| known.has_cookie(own)));
        let wanted: Vec<_> = by.map(|form| wanted(&form.ticks, &known.session)).collect();
        assert!(wanted.contains(&found), "I3: nobody ticked so: {found:?}, but {wanted:?}");
    }

    /// I12: where an IdP was to be asked for somebody, or could not be, and has not confirmed yet, the
    /// next sign-in there is held back.
    fn check_locks(&self, logout: &Logout, changes: &[Change]) {
        let locks = match logout.document.reason {
            Reason::RpInitiated | Reason::Person | Reason::Admin | Reason::Offboarded => true,
            // Who is there is another person, or has just signed out at the IdP.
            Reason::SwitchedUser | Reason::IdpInitiated => false,
            Reason::Expired => return,
        };
        // By how much an IdP's clock may go behind ours.
        let old = logout.created_at.minus(std::time::Duration::from_secs(60));
        for leg in logout.legs.iter().filter(|leg| leg.is_idp()) {
            let set = changes.iter().find_map(|change| match change {
                Change::AddReloginLock(lock) if lock.leg == leg.id => Some(lock),
                _ => None,
            });
            let expected = locks && leg.outcome() != Some(LegOutcome::Confirmed);
            assert_eq!(set.is_some(), expected, "I12: a lock of {:?}", leg.party);
            assert!(set.is_none_or(|lock| lock.fresh_after >= old), "I12: {set:?} is too weak");
        }
    }

    /// I11: an IdP ends only sessions that hold a sign-in of its own, and only by a request of its own.
    fn check_idp_may(&self, logout: &Logout, session: &BrowserSession, changes: &[Change]) {
        let ended: Option<&EndedPrincipal> = changes.iter().find_map(|change| match change {
            Change::AddEndedPrincipal(ended) | Change::SaveEndedPrincipal(ended) => {
                ended.logouts.contains(&logout.id).then_some(&**ended)
            }
            _ => None,
        });
        let ended = ended.expect("I11: an IdP's logout without the request that it rests on");
        let number = number_of(&ended.idp);
        let sp = crate::saml::EntityId::parse(SP).unwrap();
        let own = session.idp_sessions.iter().any(|held| {
            held.idp == ended.idp
                && held.signed_in.is_named_by(
                    &ended.name_id,
                    &ended.session_indexes,
                    &entity(number),
                    &sp,
                )
        });
        assert!(own, "I11: {} ended a session that it has no part in", ended.idp);
        let issued = self.truth.requests.iter().any(|issued| {
            issued.is_genuine && issued.idp == number && issued.request.id == ended.request_id
        });
        assert!(issued, "I11: {} never asked for {}", ended.idp, ended.request_id);
        assert_eq!(ended.idp, idp(number));
    }

    /// I6: a target is one that somebody asked for and that is registered.
    fn check_target(&self, target: Option<&String>) {
        if let Some(target) = target {
            assert!(self.truth.targets.contains(target), "I6: {target} was never asked for");
        }
    }

    /// I10: each transition has its event, and each event its transition, in the same transaction.
    fn check_records(&self, changes: &[Change]) {
        use AuditKind::{
            LegClosed, LegRetried, LegSent, LogoutAnswerRefused, LogoutAnswered, LogoutBegun,
            LogoutSettled, SessionEnded,
        };
        let mut expected: Vec<(AuditKind, Option<LogoutId>)> = Vec::new();
        for change in changes {
            match change {
                Change::EndBrowserSession { .. } => expected.push((SessionEnded, None)),
                Change::BeginLogout { logout, .. } => {
                    let id = Some(logout.id);
                    expected.push((LogoutBegun, id));
                    expected.extend(logout.answered_at.map(|_| (LogoutAnswered, id)));
                    expected.extend(logout.settled_at.map(|_| (LogoutSettled, id)));
                }
                Change::AdvanceLogout { id, answered_at, settled_at, .. } => {
                    let before = &self.model.logouts[id].logout;
                    let newly = |old: Option<_>, new: Option<_>| old.is_none() && new.is_some();
                    assert!(before.answered_at.is_none() || before.answered_at == *answered_at);
                    let reopened = changes.iter().any(|change| {
                        matches!(change, Change::Record(event) if event.kind == LegRetried)
                    });
                    let kept = before.settled_at.is_none() || before.settled_at == *settled_at;
                    assert!(kept || reopened, "I9: {id} was settled, and is not");
                    if newly(before.answered_at, *answered_at) {
                        expected.push((LogoutAnswered, Some(*id)));
                    }
                    if newly(before.settled_at, *settled_at) {
                        expected.push((LogoutSettled, Some(*id)));
                    }
                }
                Change::SaveLeg { leg } => {
                    let known = self
                        .model
                        .logouts
                        .values()
                        .find_map(|known| Some((known.logout.id, known.logout.leg(leg.id)?)));
                    let (id, before) = known.expect("a known leg");
                    let url = matches!(&leg.party, Party::Idp { rung: Rung::Url { .. }, .. });
                    let shown =
                        leg.is_frame() && before.state == LegState::Planned && leg.is_open();
                    let sent = (before.asked != leg.asked && leg.asked.is_some()) || shown;
                    let visited = url && leg.outcome() == Some(LegOutcome::Unconfirmed);
                    if sent || visited {
                        expected.push((LegSent, Some(id)));
                    }
                    if leg.state != before.state && !leg.is_open() {
                        expected.push((LegClosed, Some(id)));
                    }
                    let refused = leg.answer_refused_at;
                    if refused.is_some() && refused != before.answer_refused_at {
                        assert_eq!(before.answer_refused_at, None, "I10: it is on record");
                        expected.push((LogoutAnswerRefused, Some(id)));
                    }
                }
                _ => {}
            }
        }
        let kinds = [
            LegClosed,
            LegSent,
            LogoutAnswerRefused,
            LogoutAnswered,
            LogoutBegun,
            LogoutSettled,
            SessionEnded,
        ];
        let mut found: Vec<(AuditKind, Option<LogoutId>)> = changes
            .iter()
            .filter_map(|change| match change {
                Change::Record(event) if event.kind == SessionEnded => Some((SessionEnded, None)),
                Change::Record(event) if kinds.contains(&event.kind) => {
                    Some((event.kind, event.logout))
                }
                _ => None,
            })
            .collect();
        let order = |(kind, id): &(AuditKind, Option<LogoutId>)| (kind.as_str(), *id);
        expected.sort_by_key(order);
        found.sort_by_key(order);
        assert_eq!(found, expected, "I10: {changes:?}");
    }
}

/// I3: a logout that leaves the session alive tells those whose part it ends, and asks no IdP.
fn check_apps_alone(logout: &Logout, changes: &[Change]) {
    let ended = changes.iter().filter_map(|change| match change {
        Change::EndAppSession { app, .. } => Some(app.client.clone()),
        _ => None,
    });
    let mut ended: Vec<ClientId> = ended.collect();
    ended.sort();
    assert!(!ended.is_empty(), "I3: {} ends nothing", logout.id);
    assert_eq!(apps_of(logout), ended, "I3: apps of {}", logout.id);
    assert!(!logout.legs.iter().any(Leg::is_idp), "I3: {} asks an IdP", logout.id);
}

/// The apps that have a leg, sorted.
fn apps_of(logout: &Logout) -> Vec<ClientId> {
    let app = |leg: &Leg| match &leg.party {
        Party::App { client, .. } => Some(client.clone()),
        Party::Idp { .. } => None,
    };
    let mut apps: Vec<ClientId> = logout.legs.iter().filter_map(app).collect();
    apps.sort();
    apps
}

/// What ends, how far it goes, which apps end alone, and who is left: the table of decision 0017.
fn wanted(
    ticks: &Ticks,
    session: &BrowserSession,
) -> (Ends, LogoutScope, Vec<ClientId>, Vec<String>) {
    let apps = session.app_sessions.iter().map(|held| PartyId::of_app(&held.client));
    let idps = session.idp_sessions.iter().map(|held| PartyId::Idp { idp: held.idp.clone() });
    let (apps, mut idps): (Vec<_>, Vec<_>) = (apps.collect(), idps.collect());
    idps.dedup();
    let is_ticked = |party: &&PartyId| ticks.ticked.contains(party);
    let is_refused = |party: &&PartyId| ticks.shown.contains(party) && !is_ticked(party);
    let (ends, scope, left): (_, _, Vec<&PartyId>) = if idps.iter().any(|idp| is_ticked(&idp)) {
        let left = apps.iter().chain(&idps).filter(is_refused);
        (Ends::Session, LogoutScope::AllAppsAndIdp, left.collect())
    } else if !apps.iter().any(|app| is_refused(&app)) {
        (Ends::Session, LogoutScope::AllApps, idps.iter().collect())
    } else {
        let left = apps.iter().chain(&idps).filter(|party| !is_ticked(party));
        (Ends::Apps, LogoutScope::AllApps, left.collect())
    };
    let alone = session.app_sessions.iter().map(|held| &held.client);
    let alone = alone.filter(|app| ends == Ends::Apps && is_ticked(&&PartyId::of_app(app)));
    let mut alone: Vec<ClientId> = alone.cloned().collect();
    let mut left: Vec<String> = left.into_iter().map(ToString::to_string).collect();
    alone.sort();
    left.sort();
    (ends, scope, alone, left)
}
