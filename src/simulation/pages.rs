//! What a page may show: I4, I8 and I1 where a person reads.

use super::answers::parameter;
use super::installation::ISSUER;
use super::wish::{Form, Running};
use super::world::World;
use crate::logout::{Ends, LegOutcome, Logout, PartyId, Whole};
use crate::use_cases::{Frame, ListedParty, LogoutEnd};

impl World<'_> {
    /// I4: what a frame tells an app is of a session that it was in and that is over.
    pub(super) fn frames_are_shown(&mut self, begun: u64, frames: &[Frame]) {
        assert!(!frames.is_empty(), "a page with no frames");
        for Frame { app, location, .. } in frames {
            let sid = parameter(location, "sid").expect("I4: a frame without sid");
            assert_eq!(parameter(location, "iss").as_deref(), Some(ISSUER));
            assert!(location.starts_with(&format!("https://{app}.test/")), "I4: {location}");
            let known = self.model.by_sid(&sid).expect("I4: of a session that nobody had");
            assert!(!known.is_alive_for(app, begun), "I4: {app} is told of a session that lives");
            assert!(known.was_joined_by(app), "I4: {app} never was in the session");
        }
    }

    /// I8: a page claims nothing that is not so.
    pub(super) fn check_end_page(&self, logout: &Logout) {
        let known = &self.model.logouts[&logout.id].logout;
        for leg in &logout.legs {
            let confirmed = leg.outcome() == Some(LegOutcome::Confirmed);
            let stored = known.leg(leg.id).and_then(crate::logout::Leg::outcome);
            assert!(
                !confirmed || stored == Some(LegOutcome::Confirmed),
                "I8: the page says that {:?} confirmed",
                leg.party
            );
        }
        let everywhere = Whole::of(logout) == Whole::Everywhere;
        let open = known.legs.iter().find(|leg| leg.outcome() != Some(LegOutcome::Confirmed));
        assert!(!everywhere || open.is_none(), "I8: everywhere, but for {open:?}");
        let left = &known.document.left;
        assert!(!everywhere || left.is_empty(), "I8: everywhere, but for {left:?}");
    }

    /// I8: where apps ended alone, the page knows whether the session lives on. It may have ended just now.
    pub(super) fn check_lives_on(&self, running: &Running, end: &LogoutEnd) {
        let document = &end.logout.document;
        let known = &self.model.sessions[&document.browser_session];
        let lives = known.ended.is_none() && known.session.is_live(self.now);
        let just_now = known.ended.is_some_and(|ended| ended >= running.begun)
            || known.session.is_live(running.begun_at);
        let truly = document.ends == Ends::Apps && lives;
        let was = document.ends == Ends::Apps && just_now && !lives;
        assert!(end.lives_on == truly || was, "I8: it lives on: {}", end.lives_on);
    }

    /// I8: the person's own page lists everybody who takes part in the session of this browser, and
    /// nobody who never did.
    pub(super) fn check_listed(&self, running: &Running, listed: &[ListedParty]) {
        // It may have got another cookie meanwhile.
        let known = running.cookie.and_then(|cookie| self.model.by_cookie(cookie));
        let Some(known) = known else { return };
        let is_listed = |id: &PartyId| listed.iter().any(|party| party.id == *id);
        let apps = known.session.app_sessions.iter().map(|held| &held.client);
        let missing = apps.filter(|app| known.is_alive_for(app, running.begun));
        let missing: Vec<_> = missing.filter(|app| !is_listed(&PartyId::of_app(app))).collect();
        assert!(missing.is_empty(), "I8: {missing:?} is not listed");
        let stranger = listed.iter().find(|party| match &party.id {
            PartyId::App { client } => !known.was_joined_by(client),
            PartyId::Idp { idp } => !known.session.idp_sessions.iter().any(|held| held.idp == *idp),
        });
        assert!(stranger.is_none(), "I8: {stranger:?} is listed");
    }

    /// I1: what a person has ticked is over when they are answered, whatever was ended meanwhile by
    /// somebody else.
    pub(super) fn ticked_must_be_over(&mut self, running: &Running, form: &Form) {
        let known = running.cookie.and_then(|cookie| self.model.by_cookie(cookie));
        // The session is another one by now, and the form was not shown to it.
        let Some(known) = known.filter(|_| running.cookie == form.cookie) else { return };
        if known.ended.is_some() {
            return;
        }
        let lives = form.ticks.ticked.iter().find(|ticked| match ticked {
            PartyId::App { client } => known.is_alive_for(client, running.begun),
            PartyId::Idp { idp } => known.session.idp_sessions.iter().any(|held| held.idp == *idp),
        });
        assert!(lives.is_none(), "I1: {running:?} is answered, and {lives:?} lives");
    }
}
