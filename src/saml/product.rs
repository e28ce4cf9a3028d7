use super::IdpMetadata;

/// The software or service behind an IdP, as far as its metadata gives it away. A guess: it may
/// suggest settings, it never decides anything.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Product {
    Entra,
    Adfs,
    Okta,
    Google,
    Keycloak,
    Shibboleth,
    SimpleSamlPhp,
    PingFederate,
    OneLogin,
    Auth0,
    LoginGov,
    Oracle,
    LemonLdap,
    Wso2,
}

impl Product {
    /// As its maker calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Entra => "Microsoft Entra ID",
            Self::Adfs => "AD FS",
            Self::Okta => "Okta",
            Self::Google => "Google Workspace",
            Self::Keycloak => "Keycloak",
            Self::Shibboleth => "Shibboleth",
            Self::SimpleSamlPhp => "SimpleSAMLphp",
            Self::PingFederate => "PingFederate",
            Self::OneLogin => "OneLogin",
            Self::Auth0 => "Auth0",
            Self::LoginGov => "Login.gov",
            Self::Oracle => "Oracle",
            Self::LemonLdap => "LemonLDAP::NG",
            Self::Wso2 => "WSO2 Identity Server",
        }
    }
}

/// Hosts of services, and paths of software that people run themselves. The first line that fits
/// counts; a host begins with a dot where any name below it fits.
const MARKS: [(Product, Mark); 22] = [
    (Product::Entra, Mark::Host("sts.windows.net")),
    (Product::Entra, Mark::Host("login.microsoftonline.com")),
    (Product::Entra, Mark::Host("login.microsoftonline.us")),
    (Product::Okta, Mark::Host(".okta.com")),
    (Product::Okta, Mark::Host(".oktapreview.com")),
    (Product::Okta, Mark::Host(".okta-emea.com")),
    (Product::Google, Mark::Host("accounts.google.com")),
    (Product::OneLogin, Mark::Host(".onelogin.com")),
    (Product::Auth0, Mark::Host(".auth0.com")),
    (Product::LoginGov, Mark::Host("secure.login.gov")),
    (Product::LoginGov, Mark::Host("idp.int.identitysandbox.gov")),
    (Product::Oracle, Mark::Host(".identity.oraclecloud.com")),
    (Product::Adfs, Mark::Path("/adfs/")),
    (Product::Keycloak, Mark::Path("/protocol/saml")),
    (Product::Shibboleth, Mark::Path("/idp/profile/SAML2/")),
    (Product::SimpleSamlPhp, Mark::Path("/saml2/idp/SSOService.php")),
    (Product::SimpleSamlPhp, Mark::Path("/module.php/saml/idp/singleSignOnService")),
    (Product::PingFederate, Mark::Path("/idp/SSO.saml2")),
    (Product::Oracle, Mark::Path("/oamfed/idp/samlv20")),
    (Product::LemonLdap, Mark::Path("/saml/singleSignOn")),
    (Product::Wso2, Mark::Path("/samlsso")),
    // Okta behind a domain of the customer's own: the entity ID still tells.
    (Product::Okta, Mark::EntityId("http://www.okta.com/")),
];

enum Mark {
    Host(&'static str),
    Path(&'static str),
    EntityId(&'static str),
}

impl IdpMetadata {
    /// Which product this is, told from its entity ID and sign-in URLs.
    pub fn product(&self) -> Option<Product> {
        let urls = self.single_sign_on.iter().map(|endpoint| endpoint.location.as_str());
        let urls: Vec<_> = urls.filter_map(|url| url::Url::parse(url).ok()).collect();
        let fits = |mark: &Mark| match mark {
            Mark::Host(host) => {
                urls.iter().filter_map(url::Url::host_str).any(|found| is_host(found, host))
            }
            Mark::Path(part) => urls.iter().any(|url| url.path().contains(part)),
            Mark::EntityId(start) => self.entity_id.as_str().starts_with(start),
        };
        MARKS.iter().find(|(_, mark)| fits(mark)).map(|(product, _)| *product)
    }
}

fn is_host(found: &str, host: &str) -> bool {
    if host.starts_with('.') { found.ends_with(host) } else { found == host }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::saml::fixture::{idp_metadata, now};

    fn product(sso: &str) -> Option<Product> {
        let xml = idp_metadata().replace("https://idp.example/sso", sso);
        IdpMetadata::parse(xml.as_bytes(), None, now()).unwrap().product()
    }

    #[test]
    fn products_are_told_by_their_addresses() {
        for (sso, expected) in [
            ("https://login.microsoftonline.com/0f0f/saml2", Some(Product::Entra)),
            ("https://fs.example.com/adfs/ls/", Some(Product::Adfs)),
            ("https://dev-1.okta.com/app/x/exk1/sso/saml", Some(Product::Okta)),
            ("https://accounts.google.com/o/saml2/idp?idpid=C0", Some(Product::Google)),
            ("https://kc.example.com/realms/a/protocol/saml", Some(Product::Keycloak)),
            ("https://idp.example.com/idp/profile/SAML2/Redirect/SSO", Some(Product::Shibboleth)),
            (
                "https://s.example.com/simplesaml/saml2/idp/SSOService.php",
                Some(Product::SimpleSamlPhp),
            ),
            ("https://p.example.com/idp/SSO.saml2", Some(Product::PingFederate)),
            ("https://a.onelogin.com/trust/saml2/http-post/sso/1", Some(Product::OneLogin)),
            ("https://a.eu.auth0.com/samlp/x", Some(Product::Auth0)),
            ("https://secure.login.gov/api/saml/auth2026", Some(Product::LoginGov)),
            ("https://idcs-0f0f.identity.oraclecloud.com/fed/v1/idp/sso", Some(Product::Oracle)),
            ("https://sso.example.com/oamfed/idp/samlv20", Some(Product::Oracle)),
            ("https://auth.example.com/saml/singleSignOn", Some(Product::LemonLdap)),
            ("https://is.example.com/t/example.com/samlsso", Some(Product::Wso2)),
            ("https://idp.example/sso", None),
            ("https://okta.com.evil.example/sso", None),
            ("https://evil-okta.com/sso", None),
        ] {
            assert_eq!(product(sso), expected, "{sso}");
        }
    }

    #[test]
    fn okta_under_a_domain_of_its_customer_is_told_by_its_entity_id() {
        let xml =
            idp_metadata().replace("https://idp.example/metadata", "http://www.okta.com/exk1");
        let metadata = IdpMetadata::parse(xml.as_bytes(), None, now()).unwrap();
        assert_eq!(metadata.product(), Some(Product::Okta));
    }
}
