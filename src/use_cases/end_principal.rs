//! An IdP has signed a person out: every session that its LogoutRequest names ends here too.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{AuditEvent, AuditKind};
use crate::change::{Change, EndedPrincipal, VerifiedSignIn};
use crate::clock::Timestamp;
use crate::connection::{Connection, LogoutRequestMatch};
use crate::id::{BrowserSessionId, IdpId};
use crate::logout::plan::IdpLegs;
use crate::logout::{Logout, OwedAnswer, Presence, Reason};
use crate::oidc::{LogoutScope, Subject};
use crate::saml::LogoutRequest;
use crate::saml::logout_request::MAX_AGE;
use crate::session::{BrowserSession, IdpSession, SignedIn, Unreadable};
use crate::store::{CommitError, LogoutKey};
use crate::use_cases::sign_out::SignOut;
use crate::use_cases::{Failure, TRIES, UseCases};

/// The IdP that asks, by every id under which it has been known.
#[derive(Clone)]
pub(super) struct Asking {
    pub connection: Arc<Connection>,
    pub ids: Vec<IdpId>,
    /// What the browser that brought the request takes back; `None`: no browser did.
    pub answer: Option<OwedAnswer>,
}

/// Who ended a sign-in before it came to its end.
pub(super) enum Overtaken {
    ByIdp(Vec<EndedPrincipal>),
    /// The person was signed out of everything.
    ByAdministrator,
}

impl Overtaken {
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::ByIdp(_) => "the IdP has ended this session already",
            Self::ByAdministrator => "an administrator has signed this person out",
        }
    }
}

/// What a look at some of a person's sessions came to.
enum Look {
    /// They are ended, as far as they are meant. There may be more after this one.
    Ended { more_after: Option<BrowserSessionId> },
    /// The request was written down before.
    WasWritten,
}

impl UseCases {
    /// Ends every session that the request names. The same request again ends what the first time
    /// left over, and nothing that began since: the person may have signed in anew.
    ///
    /// # Errors
    /// [`Failure::Contended`] if sessions change faster than they can be ended; what was ended stays so.
    pub(super) async fn end_principal(
        &self,
        asking: &Asking,
        request: LogoutRequest,
    ) -> Result<Vec<Logout>, Failure> {
        let (use_cases, asking) = (self.clone(), asking.clone());
        // A task of its own: whoever asked may hang up in the middle.
        let ending =
            tokio::spawn(async move { use_cases.end_principal_now(&asking, request).await });
        let ended = ending.await;
        ended.map_err(|error| Failure::Internal(format!("ending sessions: {error}")))?
    }

    async fn end_principal_now(
        &self,
        asking: &Asking,
        request: LogoutRequest,
    ) -> Result<Vec<Logout>, Failure> {
        let now = self.now().await?;
        let (idp, request_id) = (asking.connection.id.clone(), request.id.clone());
        let mut ended = EndedPrincipal {
            version: 0,
            idp: idp.clone(),
            request_id: request.id,
            name_id: request.name_id,
            session_indexes: request.session_indexes,
            issued_at: request.issue_instant,
            by_name: false,
            logouts: Vec::new(),
            answer: None,
            answered_at: None,
            // Longer than the request can be shown again, and than a sign-in that it overtook is on
            // its way.
            expires_at: now.plus(MAX_AGE.max(self.settings().logout_deadline) + MAX_AGE * 2),
        };
        if goes_by_index(&ended, &asking.connection) {
            // Whoever else had the index may be the only one by now.
            let earlier = self.store().carried_out_for(&idp, &ended.name_id.value).await?;
            ended.by_name = earlier.iter().any(|earlier| earlier.by_name);
        }
        let skew = self.settings().clock_skew;
        let ended = match self.end_sessions_of(ended, asking, false, skew).await? {
            Some(ended) => ended,
            None => {
                let written = self.store().carried_out(&idp, &request_id).await?;
                let written = written.ok_or(Failure::Contended)?;
                // Without leeway for clocks: who signed in a moment later did so after the logout.
                let again = self.end_sessions_of(written, asking, true, Duration::ZERO).await?;
                again.ok_or(Failure::Contended)?
            }
        };
        let ended = match ended.logouts.is_empty() {
            true => self.take_over(ended, asking).await?,
            false => ended,
        };
        self.logouts_of(&ended).await
    }

    /// The IdP asks again, under another ID, for what its earlier request ended: its person has loaded the
    /// page there again. What became of that is the answer to this one, too.
    async fn take_over(
        &self,
        mut ended: EndedPrincipal,
        asking: &Asking,
    ) -> Result<EndedPrincipal, Failure> {
        let (idp, sp) = (&asking.connection.metadata.entity_id, &self.settings().saml_entity_id);
        for _ in 0..TRIES {
            let earlier = self.store().carried_out_for(&ended.idp, &ended.name_id.value).await?;
            for earlier in earlier {
                let by_index = ended.session_indexes.is_empty()
                    || earlier.session_indexes.is_empty()
                    || earlier.session_indexes.iter().any(|of| ended.session_indexes.contains(of));
                if by_index && earlier.name_id.names_same(&ended.name_id, idp, sp) {
                    ended.logouts.extend(earlier.logouts);
                }
            }
            ended.logouts.sort_unstable();
            ended.logouts.dedup();
            if ended.logouts.is_empty() {
                return Ok(ended);
            }
            ended.answer = asking.answer.clone();
            let now = self.now().await?;
            let save = Change::SaveEndedPrincipal(Box::new(ended.clone()));
            match self.store().commit(now, vec![save]).await {
                Ok(()) => return Ok(ended),
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {
                    let written = self.store().carried_out(&ended.idp, &ended.request_id).await?;
                    ended = written.ok_or(Failure::Contended)?;
                    if !ended.logouts.is_empty() {
                        return Ok(ended);
                    }
                }
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    /// The logouts that a request began, in the order of their sessions.
    pub(super) async fn logouts_of(&self, ended: &EndedPrincipal) -> Result<Vec<Logout>, Failure> {
        let mut logouts = Vec::with_capacity(ended.logouts.len());
        for id in &ended.logouts {
            // Settled logouts are deleted after a while; what is gone was told in time.
            let found = self.store().logout(LogoutKey::Id(*id)).await?.found;
            logouts.extend(found.map(|found| found.logout));
        }
        Ok(logouts)
    }

    /// Ends the sessions of sign-ins that were written at the same moment.
    pub(super) async fn end_overtaken(
        &self,
        by: Overtaken,
        connection: &Arc<Connection>,
        subject: &Subject,
    ) -> Result<(), Failure> {
        let ended = match by {
            Overtaken::ByIdp(ended) => ended,
            Overtaken::ByAdministrator => {
                let ended = self.end_sessions_of_person(subject).await?;
                ended.iter().for_each(|logout| self.tell_at_once(logout));
                return Ok(());
            }
        };
        let ids = vec![connection.id.clone()];
        let asking = Asking { connection: connection.clone(), ids, answer: None };
        let skew = self.settings().clock_skew;
        for ended in ended {
            self.end_sessions_of(ended, &asking, true, skew).await?;
        }
        Ok(())
    }

    /// Whether this sign-in was ended before it came to its end: by LogoutRequests that have overtaken it
    /// (SAML Core 3.7.3.1), or because the person was signed out of everything after it had `begun`. With
    /// a SessionIndex a LogoutRequest means it by that; without, by the time: who signs in anew after a
    /// logout is welcome.
    pub(super) async fn overtaken(
        &self,
        connection: &Connection,
        sign_in: &VerifiedSignIn,
        begun: Timestamp,
    ) -> Result<Option<Overtaken>, Failure> {
        let signed_in = &sign_in.facts;
        let skew = self.settings().clock_skew;
        let name = signed_in.name_id.as_ref().map(|name_id| name_id.value.as_str());
        let (mut ended, person_at) =
            self.store().ended_lately(&connection.id, name, &sign_in.subject).await?;
        if person_at.is_some_and(|at| begun <= at) {
            return Ok(Some(Overtaken::ByAdministrator));
        }
        ended.retain(|ended| {
            let by_index =
                !ended.session_indexes.is_empty() && !signed_in.session_indexes.is_empty();
            self.names(ended, connection, signed_in, skew)
                && (by_index || signed_in.authn_instant <= ended.issued_at)
        });
        Ok((!ended.is_empty()).then_some(Overtaken::ByIdp(ended)))
    }

    /// Writes the request down with the first sessions that it ends, and looks again until a look that
    /// began after that ends none: a sign-in that is being written at the same time either is found
    /// here, or finds what is written here. `None`: it was written down before, though not `is_written`.
    async fn end_sessions_of(
        &self,
        mut ended: EndedPrincipal,
        asking: &Asking,
        mut is_written: bool,
        skew: Duration,
    ) -> Result<Option<EndedPrincipal>, Failure> {
        loop {
            let (before, was_written) = (ended.logouts.len(), is_written);
            for idp in &asking.ids {
                let mut after = None;
                loop {
                    let place = Place { idp, after, is_written };
                    match self.end_some(&mut ended, asking, place, skew).await? {
                        Look::WasWritten => return Ok(None),
                        Look::Ended { more_after } => after = more_after,
                    }
                    is_written = true;
                    if after.is_none() {
                        break;
                    }
                }
            }
            if was_written && ended.logouts.len() == before {
                // What somebody else has ended meanwhile was not found any more, but is written down.
                let written = self.store().carried_out(&ended.idp, &ended.request_id).await?;
                return Ok(Some(written.unwrap_or(ended)));
            }
        }
    }

    async fn end_some(
        &self,
        ended: &mut EndedPrincipal,
        asking: &Asking,
        place: Place<'_>,
        skew: Duration,
    ) -> Result<Look, Failure> {
        for _ in 0..TRIES {
            if place.is_written {
                // A sign-in that found itself overtaken may have ended its own session meanwhile.
                let written = self.store().carried_out(&ended.idp, &ended.request_id).await?;
                *ended = written.ok_or(Failure::Contended)?;
            }
            let (store, name) = (self.store(), &ended.name_id.value);
            let mut read = match goes_by_index(ended, &asking.connection) {
                true => {
                    let indexes = &ended.session_indexes;
                    store.sessions_of_indexes(place.idp, indexes, place.after).await?
                }
                false => store.sessions_of(place.idp, name, place.after).await?,
            };
            if goes_by_index(ended, &asking.connection) && are_of_several(&read.found.sessions) {
                let id = &ended.request_id;
                tracing::warn!(idp = %ended.idp, id, "its SessionIndexes are of several people: the NameID counts");
                ended.by_name = true;
                read = store.sessions_of(place.idp, name, None).await?;
            }
            let more_after = read.found.more_after;
            let is_meant = |session: &&BrowserSession| {
                let by_idp = session.idp_sessions.iter().filter(|held| held.idp == *place.idp);
                let mut sign_ins = by_idp.map(|held| &held.signed_in);
                // Its name is the one that is meant; the rest cannot be compared.
                let by_this = |lost: &Unreadable| match lost {
                    Unreadable::Idp(idp) => idp == place.idp,
                    Unreadable::UnknownIdp => true,
                    Unreadable::UnknownApp => false,
                };
                session.unreadable.iter().any(by_this)
                    || sign_ins.any(|held| {
                        self.names(ended, &asking.connection, held, skew)
                        // It was found by an index of its own that is not kept with it any more.
                        || goes_by_index(ended, &asking.connection)
                            && held.has_forgotten_indexes()
                            && held.authn_instant <= ended.issued_at.plus(skew)
                    })
            };
            let meant: Vec<_> = read.found.sessions.iter().filter(is_meant).collect();
            if meant.is_empty() && place.is_written {
                return Ok(Look::Ended { more_after });
            }
            let mut changes = Vec::new();
            let mut begun = Vec::new();
            for session in meant {
                let planned = self.plan_idp_initiated(session, ended, asking, read.now).await?;
                changes.extend(planned.0);
                begun.push(planned.1);
            }
            let mut written = ended.clone();
            written.logouts.extend(begun.iter().map(|logout| logout.id));
            let boxed = Box::new(written.clone());
            changes.push(match place.is_written {
                true => Change::SaveEndedPrincipal(boxed),
                false => Change::AddEndedPrincipal(boxed),
            });
            let event = AuditEvent::new(AuditKind::LogoutRequestCarriedOut).idp(&ended.idp);
            let detail = format!("{} sessions ended", begun.len());
            changes.push(Change::Record(event.detail(detail)));
            match self.store().commit(read.now, changes).await {
                Ok(()) => {
                    begun.iter().for_each(|logout| self.tell_at_once(logout));
                    *ended = written;
                    return Ok(Look::Ended { more_after });
                }
                Err(CommitError::Conflict { what: "AddEndedPrincipal" }) => {
                    return Ok(Look::WasWritten);
                }
                Err(CommitError::Conflict { .. } | CommitError::Unknown) => {}
                Err(other) => return Err(Failure::commit(other)),
            }
        }
        Err(Failure::Contended)
    }

    async fn plan_idp_initiated(
        &self,
        session: &BrowserSession,
        ended: &EndedPrincipal,
        asking: &Asking,
        now: Timestamp,
    ) -> Result<(Vec<Change>, Logout), Failure> {
        let is_over = |held: &&IdpSession| {
            asking.ids.contains(&held.idp)
                && self.names(
                    ended,
                    &asking.connection,
                    &held.signed_in,
                    self.settings().clock_skew,
                )
                && names_all_of(ended, &held.signed_in)
        };
        let named = session.idp_sessions.iter().filter(is_over).map(|held| held.id).collect();
        let presence = match asking.answer {
            Some(_) => Presence::Browser,
            None => Presence::Nobody,
        };
        let wanted = SignOut {
            reason: Reason::IdpInitiated,
            scope: LogoutScope::AllAppsAndIdp,
            left: Vec::new(),
            idps: IdpLegs::BegunBy { ids: asking.ids.clone(), named, presence },
            initiator: None,
            target: None,
            result_wanted: false,
            language: None,
            lock: None,
            page_seed: self.page_seed(),
            without_cookie: false,
            owed_answer: asking.answer.clone(),
        };
        let begun = self.plan_sign_out(session, wanted, now).await?;
        Ok((begun.changes, begun.logout))
    }

    /// Whether the request means this sign-in. One that the IdP made after the request is another
    /// matter; both times are by the IdP's clocks, which may differ by `skew`.
    pub(super) fn names(
        &self,
        ended: &EndedPrincipal,
        connection: &Connection,
        held: &SignedIn,
        skew: Duration,
    ) -> bool {
        let (idp, sp) = (&connection.metadata.entity_id, &self.settings().saml_entity_id);
        let is_named = match goes_by_index(ended, connection) {
            true => held.session_indexes.iter().any(|own| ended.session_indexes.contains(own)),
            false => held.is_named_by(&ended.name_id, &ended.session_indexes, idp, sp),
        };
        is_named && held.authn_instant <= ended.issued_at.plus(skew)
    }
}

/// Whether the SessionIndexes alone say which sessions are meant.
pub(super) fn goes_by_index(ended: &EndedPrincipal, connection: &Connection) -> bool {
    let by = connection.settings.logout_request_match;
    let by_index = by == LogoutRequestMatch::SessionIndex && !ended.by_name;
    by_index && !ended.session_indexes.is_empty()
}

/// An IdP that gives the same SessionIndex to several people does not say with it whom it means.
fn are_of_several(sessions: &[BrowserSession]) -> bool {
    let mut subjects = sessions.iter().map(|session| &session.subject);
    let first = subjects.next();
    subjects.any(|subject| Some(subject) != first)
}

/// Whether nothing is left of this sign-in at its IdP. With SessionIndexes a LogoutRequest ends those
/// that it names, and says nothing of others (SAML Core 3.7.1).
fn names_all_of(ended: &EndedPrincipal, held: &SignedIn) -> bool {
    let named = &ended.session_indexes;
    named.is_empty()
        || !held.has_forgotten_indexes()
            && held.session_indexes.iter().all(|own| named.contains(own))
}

/// Where the look at a person's sessions stands.
#[derive(Clone, Copy)]
struct Place<'p> {
    idp: &'p IdpId,
    after: Option<BrowserSessionId>,
    /// The request has been written down.
    is_written: bool,
}
