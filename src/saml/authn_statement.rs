use super::SessionIndex;
use super::assertion::Moment;
use super::message::{self, MessageError};
use super::response::Rejection;
use crate::clock::Timestamp;
use crate::xml::{Element, ns};

/// More AuthnStatements than this are not read.
const MAX_AUTHN_STATEMENTS: usize = 64;

/// All AuthnStatements together (SAML Core 2.7.2).
pub(super) struct Authentication {
    /// The latest.
    pub(super) instant: Timestamp,
    /// The class beside it.
    pub(super) context: Option<String>,
    /// Each once.
    pub(super) session_indexes: Vec<SessionIndex>,
    /// The earliest.
    pub(super) session_not_on_or_after: Option<Timestamp>,
}

impl Authentication {
    pub(super) fn read(assertion: Element<'_>, moment: Moment) -> Result<Self, Rejection> {
        let mut all: Option<Self> = None;
        for (count, statement) in assertion.children(ns::SAML, "AuthnStatement").enumerate() {
            if count == MAX_AUTHN_STATEMENTS {
                let limit = MAX_AUTHN_STATEMENTS;
                return Err(MessageError::TooMany { element: "AuthnStatement", limit }.into());
            }
            let one = Self::read_one(statement, moment)?;
            all = Some(match all {
                None => one,
                Some(all) => all.and(one),
            });
        }
        all.ok_or(Rejection::NoAuthnStatement)
    }

    fn read_one(statement: Element<'_>, moment: Moment) -> Result<Self, Rejection> {
        let instant = message::required_time(statement, "AuthnInstant")?;
        if moment.is_future(instant) {
            return Err(Rejection::AuthnInstant);
        }
        let session_not_on_or_after = message::time(statement, "SessionNotOnOrAfter")?;
        if session_not_on_or_after.is_some_and(|end| moment.is_past(end)) {
            return Err(Rejection::SessionExpired);
        }
        let index = statement.attribute("SessionIndex").map(SessionIndex::parse).transpose()?;
        let class = match statement.optional(ns::SAML, "AuthnContext")? {
            Some(context) => context.optional(ns::SAML, "AuthnContextClassRef")?,
            None => None,
        };
        let context = match class {
            Some(class) => Some(message::trim(class.text()?).to_owned()),
            None => None,
        };
        let session_indexes = index.into_iter().collect();
        Ok(Self { instant, context, session_indexes, session_not_on_or_after })
    }

    fn and(self, other: Self) -> Self {
        let (earlier, later) = (self.session_not_on_or_after, other.session_not_on_or_after);
        let session_not_on_or_after = match (earlier, later) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        let mut session_indexes = self.session_indexes;
        for index in other.session_indexes {
            if !session_indexes.contains(&index) {
                session_indexes.push(index);
            }
        }
        let (instant, context) = if other.instant > self.instant {
            (other.instant, other.context)
        } else {
            (self.instant, self.context)
        };
        Self { instant, context, session_indexes, session_not_on_or_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::Login;
    use crate::saml::fixture::{at, changed, now, response};

    #[test]
    fn all_authn_statements_count() {
        let end = "<saml:AttributeStatement>";
        let statement = |seconds: i64, more: &str| {
            format!(r#"<saml:AuthnStatement AuthnInstant="{}"{more}/>"#, at(seconds))
        };
        let with = |statements: &str| changed(end, &format!("{statements}{end}"));
        let later =
            statement(-1, &format!(r#" SessionIndex="two" SessionNotOnOrAfter="{}""#, at(90)));
        let earlier =
            statement(-50, &format!(r#" SessionIndex="one" SessionNotOnOrAfter="{}""#, at(80)));
        let login = with(&format!("{later}{earlier}")).unwrap();
        let indexes: Vec<_> = login.session_indexes.iter().map(SessionIndex::as_str).collect();
        assert_eq!(indexes, ["one", "two"]);
        assert_eq!(login.authn_instant, now().shifted(-1_000_000));
        assert_eq!(login.authn_context, None);
        assert_eq!(login.session_not_on_or_after, Some(now().shifted(80_000_000)));

        let none = |login: Login| login.session_indexes.is_empty();
        assert!(none(changed(r#" SessionIndex="one""#, "").unwrap()));
        assert!(with(&statement(-1, "").repeat(63)).is_ok());
        assert!(matches!(
            with(&statement(-1, "").repeat(64)),
            Err(Rejection::Message(MessageError::TooMany { .. }))
        ));
        assert_eq!(
            with(&statement(-9, &format!(r#" SessionNotOnOrAfter="{}""#, at(-60)))),
            Err(Rejection::SessionExpired)
        );
        assert!(with(&statement(-9, &format!(r#" SessionNotOnOrAfter="{}""#, at(-59)))).is_ok());
        assert!(matches!(
            with(&statement(-9, r#" SessionIndex="""#)),
            Err(Rejection::Message(MessageError::SessionIndex(_)))
        ));
    }

    #[test]
    fn somebody_was_authenticated_and_not_in_the_future() {
        let good = response();
        let start = good.find("<saml:AuthnStatement").unwrap();
        let end = good.find("<saml:AttributeStatement").unwrap();
        assert_eq!(changed(&good[start..end], ""), Err(Rejection::NoAuthnStatement));
        let own = format!(r#"AuthnInstant="{}""#, at(-5));
        let instant = |seconds: i64| changed(&own, &format!(r#"AuthnInstant="{}""#, at(seconds)));
        assert!(instant(60).is_ok());
        assert_eq!(instant(61), Err(Rejection::AuthnInstant));
    }
}
