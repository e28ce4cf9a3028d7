//! What must be true of every transaction (design: I1 to I12): it is held against the model as it was
//! before, and against what is true outside.

use super::installation::{APPS, SP, app, entity, idp};
use super::parties::number_of;
use super::world::World;
use crate::audit::AuditKind;
use crate::change::{Change, EndedPrincipal};
use crate::clock::Timestamp;
use crate::id::{BrowserSessionId, ClientId, LogoutId};
use crate::logout::{AppChannel, Leg, LegOutcome, LegState, Logout, Party, Reason, Rung, retry};
use crate::oidc::LogoutScope;
use crate::session::BrowserSession;

impl World<'_> {
    pub(super) fn check_commit(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::EndBrowserSession { id, .. } => self.check_end(*id, changes),
                Change::BeginLogout { logout, .. } => self.check_beginning(logout, changes),
                Change::SaveLeg { leg } => self.check_leg(leg, changes),
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
                if logout.document.browser_session == session)
        });
        assert_eq!(logouts.count(), 1, "I1: session {session} ends: {changes:?}");
    }

    fn check_beginning(&self, logout: &Logout, changes: &[Change]) {
        let id = logout.document.browser_session;
        let ends = changes.iter().any(
            |change| matches!(change, Change::EndBrowserSession { id: ended, .. } if *ended == id),
        );
        assert!(ends, "I1: a logout begins, and session {id} does not end: {changes:?}");
        let session = &self.model.sessions[&id].session;
        assert_eq!(logout.document.sid, session.sid);
        self.check_target(logout.document.target.as_ref());

        // I3: nobody is forgotten, and nobody is told twice.
        let scope = logout.document.scope;
        let mut apps: Vec<ClientId> = Vec::new();
        if scope != LogoutScope::OpOnly {
            apps.extend(session.app_sessions.iter().map(|held| held.client.clone()));
        }
        let mut told: Vec<ClientId> = logout
            .legs
            .iter()
            .filter_map(|leg| match &leg.party {
                Party::App { client, .. } => Some(client.clone()),
                Party::Idp { .. } => None,
            })
            .collect();
        apps.sort();
        told.sort();
        assert_eq!(told, apps, "I3: apps of {}", logout.id);
        let idps = if scope == LogoutScope::AllAppsAndIdp { session.idp_sessions.len() } else { 0 };
        let asked = logout.legs.iter().filter(|leg| leg.is_idp()).count();
        assert_eq!(asked, idps, "I3: IdP sessions of {}", logout.id);
        let is_client = |app_number: usize| {
            session.app_sessions.iter().any(|held| held.client == app(app_number))
        };
        assert!((0..APPS).any(is_client) || session.app_sessions.is_empty());
        if logout.document.reason == Reason::IdpInitiated {
            self.check_idp_may(logout, session, changes);
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

    fn check_leg(&self, leg: &Leg, changes: &[Change]) {
        let mut known = self.model.logouts.values();
        let known = known.find(|known| known.logout.leg(leg.id).is_some()).expect("a known leg");
        let advances = changes.iter().any(
            |change| matches!(change, Change::AdvanceLogout { id, .. } if *id == known.logout.id),
        );
        assert!(advances, "I5: a leg is written without the version of its logout");
        let before = known.logout.leg(leg.id).expect("it was found by it");
        assert_eq!(leg.party, before.party);
        if let (Some(old), Some(new)) = (&before.asked, &leg.asked) {
            assert_eq!(old, new, "I5: {} was asked, and is asked something else", leg.id);
        }
        let LegState::Closed { outcome, .. } = &leg.state else {
            let retried = leg.retried_at != before.retried_at;
            assert!(before.is_open() || retried, "I5: {:?} is open again", leg.party);
            return;
        };
        match &leg.party {
            Party::Idp { idp, rung } => {
                self.check_idp_outcome(
                    &known.logout,
                    before,
                    leg,
                    *outcome,
                    (number_of(idp), rung),
                );
            }
            Party::App { client, channel: AppChannel::FrontChannel { .. } } => {
                assert!(before.is_open(), "I5: {client} has an outcome already");
                self.check_frame_outcome(&known.logout, before, *outcome);
            }
            Party::App { client, channel: AppChannel::BackChannel } => {
                assert!(before.is_open(), "I5: {client} has an outcome already");
                let since = before.retried_at.unwrap_or(known.logout.created_at);
                self.check_app_outcome(&known.logout, client, *outcome, since);
            }
        }
    }

    fn check_idp_outcome(
        &self,
        logout: &Logout,
        before: &Leg,
        leg: &Leg,
        outcome: LegOutcome,
        (idp, rung): (usize, &Rung),
    ) {
        use LegOutcome::{Confirmed, NoAnswer, NotSent, Partial, Refused, Unconfirmed};
        let late = self.now >= logout.deadline;
        let was = before.outcome();
        assert!(
            matches!(was, None | Some(NoAnswer | Unconfirmed)),
            "I5: {was:?} of idp-{idp} becomes {outcome}"
        );
        match outcome {
            Confirmed | Partial | Refused => {
                let asked = leg.asked.as_ref().map(|asked| &asked.request_id);
                let whom = leg.principal.as_ref().map(|principal| &principal.name_id);
                let answered = self.truth.answers.iter().any(|issued| {
                    issued.is_proof
                        && issued.delivered
                        && issued.idp == idp
                        && issued.says == outcome
                        && match leg.is_by_soap() {
                            true => issued.by_soap.as_ref() == whom,
                            false => asked == Some(&issued.request_id),
                        }
                });
                assert!(answered, "I5: idp-{idp} never said {outcome} to {asked:?}");
            }
            NoAnswer => {
                let asked = before.asked.is_some() || before.is_by_soap();
                assert!(asked, "I8: {outcome}, and it was not asked");
                // A try that would come after the deadline is not waited for.
                let gave_up = self.truth.gave_up.contains(&leg.id) || before.is_by_soap();
                assert!(late || gave_up, "I5: {outcome}, and there is time for an answer");
            }
            NotSent => assert!(late && before.asked.is_none(), "I3: {outcome} too early"),
            // Something came back, or the browser went to a page where nothing answers.
            Unconfirmed => {
                let asked =
                    before.asked.is_some() || matches!(rung, Rung::Url { .. } | Rung::Soap { .. });
                assert!(asked, "I8: {outcome}, and it was not asked");
                assert!(was.is_none(), "I5: {was:?} becomes {outcome}");
            }
            other => panic!("I5: {other} of an IdP that can be asked"),
        }
    }

    /// Of a frame nothing comes back but the browser.
    fn check_frame_outcome(&self, logout: &Logout, before: &Leg, outcome: LegOutcome) {
        let late = self.now >= logout.deadline;
        let shown = matches!(before.state, LegState::Waiting { .. });
        match outcome {
            LegOutcome::Unconfirmed => assert!(shown, "I8: {outcome}, and it was not shown"),
            LegOutcome::NoAnswer => assert!(shown && late, "I8: {outcome} of a frame"),
            LegOutcome::NotSent => assert!(!shown && late, "I3: {outcome} of a frame too early"),
            other => panic!("I8: {other} of a frame"),
        }
    }

    fn check_app_outcome(
        &self,
        logout: &Logout,
        client: &ClientId,
        outcome: LegOutcome,
        since: Timestamp,
    ) {
        let of = |told: &super::parties::Told| {
            app(told.app) == *client && told.sid == logout.document.sid
        };
        match outcome {
            LegOutcome::Confirmed => {
                assert!(self.truth.told.iter().any(of), "I8: {client} never agreed");
            }
            LegOutcome::Refused => {
                assert!(self.truth.declined.iter().any(of), "I8: {client} never said no");
            }
            LegOutcome::DeadLetter => {
                let tried = self.now.since(since);
                let longest = std::time::Duration::from_secs(300);
                assert!(tried + longest >= retry::GIVE_UP_AFTER, "I3: given up after {tried:?}");
            }
            other => panic!("I3: {client} is {other}"),
        }
    }

    /// I10: each transition has its event, and each event its transition, in the same transaction.
    fn check_records(&self, changes: &[Change]) {
        use AuditKind::{
            LegClosed, LegRetried, LegSent, LogoutAnswered, LogoutBegun, LogoutSettled,
            SessionEnded,
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
                    let sent = (before.asked.is_none() && leg.asked.is_some()) || shown;
                    let visited = url && leg.outcome() == Some(LegOutcome::Unconfirmed);
                    if sent || visited {
                        expected.push((LegSent, Some(id)));
                    }
                    if leg.state != before.state && !leg.is_open() {
                        expected.push((LegClosed, Some(id)));
                    }
                }
                _ => {}
            }
        }
        let kinds = [LegClosed, LegSent, LogoutAnswered, LogoutBegun, LogoutSettled, SessionEnded];
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
