//! What an administrator should know of an IdP, told from its product, its metadata and the settings.

use std::collections::BTreeMap;

use crate::connection::{
    Connection, Fallback, IdpSettings, UnsignedLogoutResponse, WithoutSessionIndex,
};
use crate::saml::{Binding, Endpoint, MetadataSignature, Product};

/// What to tell an administrator, and which settings follow from it.
#[derive(Default)]
pub(super) struct Advice {
    pub(super) sentences: Vec<String>,
    pub(super) settings: BTreeMap<&'static str, &'static str>,
}

impl Advice {
    pub(super) fn of(connection: &Connection) -> Self {
        let mut advice = Self::default();
        let (metadata, settings) = (&connection.metadata, &connection.settings);
        let product = metadata.product();
        let by_browser = |endpoint: &Endpoint| endpoint.binding != Binding::Soap;
        let has_slo = metadata.single_logout.iter().any(by_browser);
        match product {
            // A LogoutRequest at the login URL is answered with `malformed_request`.
            Some(Product::Google) if !has_slo => advice.recommend(
                settings.fallback == Fallback::LoginUrl,
                ("fallback", "local"),
                "Google has no single logout, and answers a LogoutRequest at its login URL with an \
                 error page. `fallback = local` ends our side and says so.",
            ),
            // AADSTS75005 at the sign-in URL.
            Some(Product::Entra) if !has_slo => advice.recommend(
                settings.fallback == Fallback::LoginUrl,
                ("fallback", "local"),
                "Entra ID answers a LogoutRequest at its sign-in URL with an error page. Load the \
                 app's own metadata, which names a logout URL; until then `fallback = local` ends \
                 our side and says so.",
            ),
            Some(Product::Okta) if !has_slo => advice.say(
                "Okta names a logout URL in its metadata only once single logout is switched on for \
                 the app and our certificate is uploaded there; then load the metadata again.",
            ),
            _ if !has_slo => advice.say(
                "Ask the IdP's administrator whether single logout can be switched on, and load the \
                 metadata again.",
            ),
            _ => {}
        }
        if has_slo {
            advice.about_answers(product, settings);
        }
        if settings.without_session_index == WithoutSessionIndex::NextRung && has_slo {
            advice.say(
                "`without_session_index = next_rung`: where the IdP asserts no SessionIndex, its \
                 logout URL is not used.",
            );
        }
        if settings.asynchronous_logout && has_slo {
            advice.about_no_answer(connection);
        }
        if metadata.signature == MetadataSignature::Unchecked && settings.metadata_key.is_none() {
            advice.say(
                "The metadata is signed, and nobody checks it. Pin the signer's key with \
                 `metadata_key` if you know it.",
            );
        }
        advice
    }

    fn about_answers(&mut self, product: Option<Product>, settings: &IdpSettings) {
        let strict = settings.unsigned_logout_response == UnsignedLogoutResponse::Unconfirmed;
        let accept = ("unsigned_logout_response", "accept");
        match product {
            Some(Product::Entra) => self.recommend(
                strict,
                accept,
                "Entra ID does not sign its LogoutResponse, so every logout there stays \
                 `unconfirmed`. With `unsigned_logout_response = accept` an answer counts where both \
                 InResponseTo and RelayState match.",
            ),
            Some(Product::Keycloak) => self.recommend(
                strict,
                accept,
                "Keycloak signs its LogoutResponse only if \"Sign documents\" is on for the client. \
                 Switch it on, or set `unsigned_logout_response = accept`.",
            ),
            Some(Product::SimpleSamlPhp) => self.recommend(
                strict,
                accept,
                "SimpleSAMLphp signs logout messages only with `sign.logout`. Switch it on, or set \
                 `unsigned_logout_response = accept`.",
            ),
            Some(Product::Adfs) => self.say(
                "AD FS takes a LogoutRequest only with exactly the NameID that it asserted; claim \
                 rules must issue one.",
            ),
            Some(Product::Okta) => self.say(
                "Okta takes a LogoutRequest only if our signing certificate has been uploaded to the \
                 app.",
            ),
            Some(Product::OneLogin) => self.say(
                "OneLogin sends its answer to the logout URL that is entered in the app connector.",
            ),
            Some(Product::Shibboleth) => self.say(
                "Shibboleth may end a logout on a page of its own. Whoever does not come back is \
                 answered for after the deadline.",
            ),
            Some(Product::PingFederate) => self.say(
                "PingFederate ends its chain of logouts at the first service that fails, and shows \
                 an error page.",
            ),
            Some(Product::Auth0) => self.say(
                "Auth0 sends its answer by POST to the callback that is entered as `logout` in the \
                 add-on's settings.",
            ),
            Some(Product::Google) | None => {}
        }
    }

    fn about_no_answer(&mut self, connection: &Connection) {
        self.say(
            "`asynchronous_logout = true`: nobody waits for the answer. The person ends on the IdP's \
             page, not at the app, and what became of it is `unconfirmed`.",
        );
        if !connection.metadata.single_logout.iter().any(|endpoint| endpoint.asynchronous) {
            self.say(
                "The metadata does not say that the logout URL understands that \
                 (`aslo:supportsAsynchronous`). An IdP that does not sends its answer all the same.",
            );
        }
    }

    fn say(&mut self, sentence: &str) {
        self.sentences.push(sentence.to_owned());
    }

    /// Nothing where the setting has been made already, or otherwise on purpose.
    fn recommend(
        &mut self,
        applies: bool,
        (setting, value): (&'static str, &'static str),
        sentence: &str,
    ) {
        if applies {
            self.settings.insert(setting, value);
            self.say(sentence);
        }
    }
}
