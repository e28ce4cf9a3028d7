//! What an administrator should know of an IdP, told from its product, its metadata and the settings.
//! What each product does, and where that is written: `docs/idps.md`.

use std::collections::BTreeMap;

use crate::connection::{
    Connection, Fallback, IdpSettings, LogoutRequestMatch, UnsignedLogoutResponse,
    WithoutSessionIndex,
};
use crate::saml::{EntityId, IdpMetadata, MetadataSignature, Product};

/// What to tell an administrator, and which settings follow from it.
#[derive(Default)]
pub(super) struct Advice {
    pub(super) sentences: Vec<String>,
    pub(super) settings: BTreeMap<&'static str, String>,
}

impl Advice {
    pub(super) fn of(connection: &Connection) -> Self {
        let mut advice = Self::default();
        let (metadata, settings) = (&connection.metadata, &connection.settings);
        match (settings.single_logout, metadata.single_logout.is_empty()) {
            (Some(false), _) => advice.about_single_logout_off(settings),
            (_, true) => advice.about_no_logout_url(metadata.product(), settings),
            (_, false) => {
                advice.about_logout(metadata, settings);
                advice.about_settings(metadata, settings);
            }
        }
        if let Err(why) = connection.recipient() {
            advice.say(&format!(
                "`encrypt_name_id` is set, and {why}: nothing that names a person goes to this \
                 IdP, and its leg of a logout is `not_possible`. Load metadata with such a key, or \
                 set it to `false`."
            ));
        }
        if metadata.signature == MetadataSignature::Unchecked && settings.metadata_key.is_none() {
            advice.say(
                "The metadata is signed, and nobody checks it. Pin the signer's key with \
                 `metadata_key` if you know it.",
            );
        }
        advice
    }

    fn about_single_logout_off(&mut self, settings: &IdpSettings) {
        self.say(
            "`single_logout = false`: nothing goes to its logout URL. The person may stay signed \
             in there, and is told so; its own LogoutRequests still count.",
        );
        if settings.fallback == Fallback::LoginUrl {
            self.say(
                "`fallback` is `login-url`: the LogoutRequest goes to the login URL instead. With \
                 `fallback = local` none is sent.",
            );
        }
    }

    fn about_no_logout_url(&mut self, product: Option<Product>, settings: &IdpSettings) {
        let asks_at_login = settings.fallback == Fallback::LoginUrl;
        match product {
            // A LogoutRequest at the login URL is answered with `malformed_request`.
            Some(Product::Google) => self.recommend(
                asks_at_login,
                ("fallback", "local"),
                "Google has no single logout, and answers a LogoutRequest at its login URL with an \
                 error page. `fallback = local` ends our side and says so.",
            ),
            // AADSTS75005 at the sign-in URL.
            Some(Product::Entra) => self.recommend(
                asks_at_login,
                ("fallback", "local"),
                "Entra ID answers a LogoutRequest at its sign-in URL with an error page. Load the \
                 app's own metadata, which names a logout URL; until then `fallback = local` ends \
                 our side and says so.",
            ),
            Some(Product::Okta) => self.say(
                "Okta names a logout URL in its metadata only once single logout is switched on \
                 for the app and our certificate is uploaded there; then load the metadata again.",
            ),
            _ => self.say(
                "Ask the IdP's administrator whether single logout can be switched on, and load \
                 the metadata again. If it has a logout URL that the metadata does not name, set \
                 `slo_url`.",
            ),
        }
    }

    /// What the product is known for at logout.
    fn about_logout(&mut self, metadata: &IdpMetadata, settings: &IdpSettings) {
        let strict = settings.unsigned_logout_response == UnsignedLogoutResponse::Unconfirmed;
        let accept = ("unsigned_logout_response", "accept");
        match metadata.product() {
            Some(Product::Entra) => {
                self.recommend(
                    strict,
                    accept,
                    "Entra ID does not sign its LogoutResponse, so every logout there stays \
                     `unconfirmed`. With `unsigned_logout_response = accept` an answer counts \
                     where both InResponseTo and RelayState match.",
                );
                self.about_entra(metadata, settings);
            }
            Some(Product::Keycloak) => self.recommend(
                strict,
                accept,
                "Keycloak signs its LogoutResponse only if \"Sign documents\" is on for the \
                 client. Switch it on, or set `unsigned_logout_response = accept`.",
            ),
            Some(Product::SimpleSamlPhp) => self.recommend(
                strict,
                accept,
                "SimpleSAMLphp signs logout messages only with `sign.logout`. Switch it on, or set \
                 `unsigned_logout_response = accept`. Its own LogoutRequests count only if they \
                 are signed; no setting changes that.",
            ),
            Some(Product::PingFederate) => self.recommend(
                !settings.always_success,
                ("always_success", "true"),
                "PingFederate may not tell its other services once one of them answers with an \
                 error, and shows the person an error page. `always_success = true` answers its \
                 LogoutRequests with Success even where one of our apps could not be told.",
            ),
            Some(product) => self.sentences.extend(at_logout(product).map(str::to_owned)),
            None => {}
        }
    }

    /// Of the messages that Entra ID sends when the person signs out at another app.
    fn about_entra(&mut self, metadata: &IdpMetadata, settings: &IdpSettings) {
        self.say(
            "With several accounts signed in, Entra ID asks which one to sign out, and may not \
             send the browser back.",
        );
        self.recommend(
            settings.logout_request_match == LogoutRequestMatch::NameId,
            ("logout_request_match", "session_index"),
            "When the person signs out elsewhere, Entra ID's LogoutRequest may name another NameID \
             than it asserted; the SessionIndex is right. `logout_request_match = session_index` \
             finds sessions by that, those that begin from then on.",
        );
        self.recommend(
            !settings.withhold_logout_response,
            ("withhold_logout_response", "true"),
            "Entra ID has been seen to refuse a LogoutResponse to its own LogoutRequest, which \
             ends its logout with an error page. `withhold_logout_response = true` answers none.",
        );
        let tenant = metadata.entity_id.as_str().strip_prefix("https://sts.windows.net/");
        if let (Some(tenant), None) = (tenant, &settings.logout_response_issuer) {
            let issuer = format!("https://login.microsoftonline.com/{tenant}");
            if EntityId::parse(&issuer).is_ok() {
                self.settings.insert("logout_response_issuer", issuer);
                self.say(
                    "Entra ID's documentation shows LogoutResponses from an Issuer that is not its \
                     entity ID. With `logout_response_issuer` such an answer counts, too.",
                );
            }
        }
    }

    /// What follows from the settings themselves.
    fn about_settings(&mut self, metadata: &IdpMetadata, settings: &IdpSettings) {
        if settings.slo_url.is_some() {
            self.say("`slo_url` is set: what the metadata says of logout URLs does not count.");
        }
        if settings.without_session_index == WithoutSessionIndex::NextRung {
            self.say(
                "`without_session_index = next_rung`: where the IdP asserts no SessionIndex, its \
                 logout URL is not used.",
            );
        }
        if !settings.asynchronous_logout {
            return;
        }
        self.say(
            "`asynchronous_logout = true`: nobody waits for the answer. The person ends on the \
             IdP's page, not at the app, and what became of it is `unconfirmed`.",
        );
        if !metadata.single_logout.iter().any(|endpoint| endpoint.asynchronous) {
            self.say(
                "The metadata does not say that the logout URL understands that \
                 (`aslo:supportsAsynchronous`). An IdP that does not sends its answer all the \
                 same.",
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
            self.settings.insert(setting, value.to_owned());
            self.say(sentence);
        }
    }
}

/// Products that need no setting of ours, and what to see to there.
fn at_logout(product: Product) -> Option<&'static str> {
    Some(match product {
        Product::Adfs => {
            "AD FS takes a LogoutRequest only with exactly the NameID that it asserted, signed, by \
             the algorithm of its trust; claim rules must issue a NameID, and the trust must name \
             SHA-256 and our logout URL."
        }
        Product::Okta => {
            "Okta takes a LogoutRequest only if our signing certificate has been uploaded to the \
             app and its \"SP Issuer\" is our entity ID. Its answer comes by POST."
        }
        Product::OneLogin => {
            "OneLogin sends its answer to the logout URL that is entered in the app connector."
        }
        Product::Shibboleth => {
            "Shibboleth may end a logout on a page of its own. Whoever does not come back is \
             answered for after the deadline; `asynchronous_logout = true` does not wait. It \
             forgets services after a while, and answers then that it knows nobody."
        }
        Product::Auth0 => {
            "Auth0 sends its answer by POST to the callback that is entered as `logout` in the \
             add-on's settings. When it begins a logout itself, it tells one app only."
        }
        Product::Oracle => {
            "Oracle takes a LogoutRequest only with the NameID and the SessionIndex that it \
             asserted, in the same Format."
        }
        Product::LemonLdap => {
            "LemonLDAP::NG compares the whole NameID of a LogoutRequest with the one that it \
             asserted."
        }
        Product::LoginGov => {
            "Login.gov takes a LogoutRequest only if it is signed with the certificate that is \
             registered for the app."
        }
        Product::Wso2 => {
            "WSO2 Identity Server has published another tenant's logout URL in the metadata of a \
             tenant. Compare it, and set `slo_url` if it is wrong."
        }
        Product::Entra
        | Product::Google
        | Product::Keycloak
        | Product::PingFederate
        | Product::SimpleSamlPhp => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::connection::MaxValidity;

    /// Of an IdP whose metadata gives away nothing but this.
    fn advice(sso: &str, settings: IdpSettings) -> Advice {
        let plain = include_str!("../../metadata/samples/pysaml2.xml");
        let xml = plain.replace("https://idp.example.org/sso/redirect", sso);
        assert!(xml.contains(sso));
        let (id, now) = ("corp".parse().unwrap(), Timestamp::from_seconds(1_795_000_000));
        let unlimited = MaxValidity::Unlimited;
        let connection = Connection::parse(id, settings, xml.as_bytes(), unlimited, now);
        Advice::of(&connection.unwrap())
    }

    #[test]
    fn products_without_a_sample_have_their_sentence_too() {
        for (sso, words) in [
            ("https://secure.login.gov/api/saml/auth2026", "registered for the app"),
            ("https://sso.example.com/oamfed/idp/samlv20", "the SessionIndex that it asserted"),
            ("https://auth.example.com/saml/singleSignOn", "the whole NameID"),
            ("https://is.example.com/samlsso", "another tenant's logout URL"),
        ] {
            let found = advice(sso, IdpSettings::default());
            assert!(found.sentences.join(" ").contains(words), "{sso}: {:?}", found.sentences);
            assert!(found.settings.is_empty(), "{sso}");
        }
        let nobody = advice("https://idp.example/sso", IdpSettings::default());
        assert!(nobody.settings.is_empty(), "{:?}", nobody.settings);
    }

    #[test]
    fn what_is_settled_is_not_recommended_again() {
        let entra = "https://login.microsoftonline.com/0f0f/saml2";
        let open = advice(entra, IdpSettings::default());
        let settings: Vec<_> = open.settings.keys().copied().collect();
        let proposed =
            ["logout_request_match", "unsigned_logout_response", "withhold_logout_response"];
        assert_eq!(settings, proposed);
        let settled = IdpSettings {
            logout_request_match: LogoutRequestMatch::SessionIndex,
            unsigned_logout_response: UnsignedLogoutResponse::Accept,
            withhold_logout_response: true,
            ..IdpSettings::default()
        };
        assert!(advice(entra, settled).settings.is_empty());
    }

    #[test]
    fn without_a_logout_url_the_login_url_is_not_tried_where_it_is_known_to_fail() {
        let plain = include_str!("../../metadata/samples/entra.xml");
        let (start, rest) = plain.split_once("<SingleLogoutService").unwrap();
        let (_, rest) = rest.split_once("/>").unwrap();
        let xml = format!("{start}{rest}");
        let (id, now) = ("corp".parse().unwrap(), Timestamp::from_seconds(1_795_000_000));
        let (settings, unlimited) = (IdpSettings::default(), MaxValidity::Unlimited);
        let connection = Connection::parse(id, settings, xml.as_bytes(), unlimited, now).unwrap();
        let found = Advice::of(&connection);
        assert_eq!(found.settings.get("fallback").map(String::as_str), Some("local"));
        assert!(found.sentences.join(" ").contains("at its sign-in URL with an error page"));
        // Elsewhere nobody knows.
        let plain = include_str!("../../metadata/samples/auth0.xml");
        let xml = plain.replace("SingleLogoutService", "ManageNameIDService");
        let id = "other".parse().unwrap();
        let settings = IdpSettings::default();
        let connection = Connection::parse(id, settings, xml.as_bytes(), unlimited, now).unwrap();
        let found = Advice::of(&connection);
        assert!(found.settings.is_empty());
        assert!(found.sentences.join(" ").contains("`slo_url`"));
    }
}
