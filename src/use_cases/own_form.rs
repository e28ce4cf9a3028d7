//! Forms of our own pages are bound to the browser that was shown them: another site can neither read
//! such a page nor make a browser send a form that fits.

use crate::keys::keyed_hash;
use crate::secret::Token;
use crate::use_cases::{Browser, Failure, UseCases};

/// Which page a form stands on. What fits one page fits no other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum OwnForm {
    /// The question before a logout.
    ConfirmLogout,
    /// What a person wants to end.
    PersonPage,
}

impl UseCases {
    /// The `csrf` field of a form: bound to its page, its handle and the session cookie.
    pub(super) fn form_proof(&self, form: OwnForm, handle: &Token, browser: &Browser) -> String {
        let page: &[u8] = match form {
            OwnForm::ConfirmLogout => b"logout",
            OwnForm::PersonPage => b"person_page",
        };
        let cookie = browser.session_hash().map(|hash| *hash.as_bytes()).unwrap_or_default();
        let mac = keyed_hash(&self.keys().csrf, &[page, handle.expose().as_bytes(), &cookie]);
        Token::from_bytes(&mac).expose().to_owned()
    }
}

/// # Errors
/// [`Failure::Browser`] if the form is none that was shown to this browser.
pub(super) fn check_csrf(expected: &str, sent: &str) -> Result<(), Failure> {
    let same =
        expected.len() == sent.len() && openssl::memcmp::eq(expected.as_bytes(), sent.as_bytes());
    match same {
        true => Ok(()),
        false => Err(not_shown()),
    }
}

pub(super) fn not_shown() -> Failure {
    Failure::browser("csrf", "the form was not shown to this browser")
}
