//! The only HTTP client: no redirects, no proxy from the environment, guarded addresses, limits.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header;
use tokio::sync::OnceCell;
use url::{Host, Url};

use super::error::{ClientError, SendError};
use super::guard::{GuardConfig, GuardedResolver};
use super::places::{PER_HOST, Place, Places};
use super::retry_after::RetryAfter;

/// How much of an answer to a POST is read: its content means nothing, only the connection is kept.
const DRAINED: u64 = 64 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(1);

/// How long each part of a request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub resolve: Duration,
    pub connect: Duration,
    /// The wait for a free place.
    pub place: Duration,
    /// A whole POST, from the look-up of the name to the status.
    pub send: Duration,
    /// A whole GET with its body: metadata of a federation is large.
    pub fetch: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            resolve: Duration::from_secs(2),
            connect: Duration::from_secs(3),
            place: Duration::from_secs(5),
            send: Duration::from_secs(10),
            fetch: Duration::from_secs(15),
        }
    }
}

/// Root certificates beyond the system's, in PEM: the content of `ca_file`.
#[derive(Clone, Debug, Default)]
pub struct Roots(pub Option<Vec<u8>>);

/// Sends what the service has to send. Clones share their connections and their limits.
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    guard: GuardConfig,
    timeouts: Timeouts,
    roots: Vec<reqwest::Certificate>,
    /// Made when it is first needed: reading the system's roots takes longer than a whole start.
    https: OnceCell<reqwest::Client>,
    /// Separate, because its resolver admits only what the operator allowed.
    http: OnceCell<reqwest::Client>,
    places: Places,
    /// The world that stands in for the network.
    #[cfg(test)]
    simulated: Option<super::simulated::Simulated>,
}

/// A GET for a version of a document that is newer than the one we have.
#[derive(Clone, Copy, Debug)]
pub struct Request<'r> {
    pub url: &'r Url,
    /// The `Accept` header.
    pub accept: &'static str,
    pub newer_than: &'r Validators,
}

/// What came back from a POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<RetryAfter>,
}

/// What came back from a GET.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub status: u16,
    pub body: Vec<u8>,
    pub validators: Validators,
}

/// What a server says of a version of a document, to ask for a newer one only (RFC 9110 8.8).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Validators {
    pub etag: Option<String>,
    pub last_modified: Option<String>,
}

impl Validators {
    /// Longest value that is kept, in bytes.
    const LONGEST: usize = 1024;

    fn of(headers: &header::HeaderMap) -> Self {
        let text = |name: header::HeaderName| {
            let value = headers.get(name)?.to_str().ok()?;
            (value.len() <= Self::LONGEST).then(|| value.to_owned())
        };
        Self { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
    }
}

impl Client {
    /// # Errors
    /// [`ClientError`] if `roots` is given and holds no certificate.
    pub fn new(guard: GuardConfig, roots: &Roots, timeouts: Timeouts) -> Result<Self, ClientError> {
        Ok(Self(Arc::new(Inner {
            guard,
            timeouts,
            roots: parse_roots(roots)?,
            https: OnceCell::new(),
            http: OnceCell::new(),
            places: Places::default(),
            #[cfg(test)]
            simulated: None,
        })))
    }

    /// Sends nothing: what it is to send is shown to whoever simulates the world.
    #[cfg(test)]
    pub(crate) fn simulated(world: super::simulated::Simulated) -> Self {
        Self(Arc::new(Inner {
            guard: GuardConfig::default(),
            timeouts: Timeouts::default(),
            roots: Vec::new(),
            https: OnceCell::new(),
            http: OnceCell::new(),
            places: Places::default(),
            simulated: Some(world),
        }))
    }

    #[cfg(test)]
    pub(super) fn world(&self) -> Option<&super::simulated::Simulated> {
        self.0.simulated.as_ref()
    }

    /// Posts a form and returns the status, whatever it is. Redirects are not followed.
    ///
    /// # Errors
    /// [`SendError`] when there is no status: nothing is known then about what the receiver did.
    pub async fn post_form(&self, url: &Url, fields: &[(&str, &str)]) -> Result<Answer, SendError> {
        #[cfg(test)]
        if let Some(world) = self.world() {
            return world.post_form(url, fields).await;
        }
        let (client, place) = self.admit(url).await?;
        let sent = client.post(url.clone()).timeout(self.0.timeouts.send).form(fields).send();
        let mut response = place.note(sent.await.map_err(SendError::of))?;
        let status = response.status().as_u16();
        let retry_after = RetryAfter::of(response.headers());
        if response.content_length().is_some_and(|length| length <= DRAINED) {
            // Only for the sake of the connection. The status stands even if this fails.
            let drain = async { while let Ok(Some(_)) = response.chunk().await {} };
            let _ = tokio::time::timeout(DRAIN_TIME, drain).await;
        }
        Ok(Answer { status, retry_after })
    }

    /// Fetches a document of at most `max` bytes. Redirects are not followed.
    ///
    /// # Errors
    /// [`SendError`]; a status other than 200 is no error here.
    pub async fn get(&self, url: &Url, max: usize) -> Result<Fetched, SendError> {
        let newer_than = &Validators::default();
        self.get_newer(Request { url, accept: "*/*", newer_than }, max).await
    }

    /// As [`Client::get`], for a version newer than the one with these validators; the status is 304
    /// and the body empty where there is none.
    ///
    /// # Errors
    /// As there.
    pub async fn get_newer(&self, request: Request<'_>, max: usize) -> Result<Fetched, SendError> {
        let Request { url, accept, newer_than: known } = request;
        let (client, place) = self.admit(url).await?;
        // The body is never unpacked: what is limited is what would be allocated.
        let mut request = client
            .get(url.clone())
            .timeout(self.0.timeouts.fetch)
            .header(header::ACCEPT, accept)
            .header(header::ACCEPT_ENCODING, "identity");
        let conditions = [
            (header::IF_NONE_MATCH, &known.etag),
            (header::IF_MODIFIED_SINCE, &known.last_modified),
        ];
        for (name, value) in conditions {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let response = place.note(request.send().await.map_err(SendError::of))?;
        let status = response.status().as_u16();
        let validators = Validators::of(response.headers());
        Ok(Fetched { status, body: read(response, max).await?, validators })
    }

    /// Chooses the connection pool and takes a place, once the URL has been judged.
    pub(super) async fn admit(&self, url: &Url) -> Result<(&reqwest::Client, Place), SendError> {
        let plain = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(SendError::NotHttp),
        };
        // Literal addresses are judged here: a resolver is never asked about them.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(_)) => None,
            None => return Err(SendError::NotHttp),
        };
        if let Some(address) = literal {
            self.0.guard.check(address, plain)?;
        }
        let place = tokio::time::timeout(self.0.timeouts.place, self.0.places.take(url));
        let place = place.await.map_err(|_| SendError::Busy)?;
        Ok((self.pool(plain).await?, place))
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.0.timeouts
    }

    async fn pool(&self, plain: bool) -> Result<&reqwest::Client, SendError> {
        let cell = if plain { &self.0.http } else { &self.0.https };
        let made = cell.get_or_try_init(|| async {
            let inner = Arc::clone(&self.0);
            tokio::task::spawn_blocking(move || inner.build(plain)).await
        });
        made.await.map_err(|_| SendError::Tls)
    }
}

impl Inner {
    fn build(&self, plain: bool) -> reqwest::Client {
        let (guard, limit) = (self.guard.clone(), self.timeouts.resolve);
        #[expect(clippy::disallowed_methods, reason = "this is the guarded client")]
        let builder = reqwest::Client::builder();
        let builder = builder
            .https_only(!plain)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .dns_resolver(GuardedResolver { guard, plain, limit })
            .connect_timeout(self.timeouts.connect)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(PER_HOST)
            .tls_version_min(reqwest::tls::Version::TLS_1_2)
            .user_agent(concat!("sloop/", env!("CARGO_PKG_VERSION")));
        let builder = match plain {
            true => builder.tls_certs_only([]),
            false => builder.tls_certs_merge(self.roots.iter().cloned()),
        };
        builder.build().expect("constant settings and parsed certificates make a client")
    }
}

/// The body as it was sent, never unpacked, if it has at most `max` bytes.
pub(super) async fn read(
    mut response: reqwest::Response,
    max: usize,
) -> Result<Vec<u8>, SendError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(SendError::of)? {
        if body.len() + chunk.len() > max {
            return Err(SendError::TooLarge { max });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn parse_roots(roots: &Roots) -> Result<Vec<reqwest::Certificate>, ClientError> {
    let Roots(Some(pem)) = roots else { return Ok(Vec::new()) };
    let parsed = openssl::x509::X509::stack_from_pem(pem).map_err(|_| ClientError::BadRoots)?;
    if parsed.is_empty() {
        return Err(ClientError::BadRoots);
    }
    parsed
        .iter()
        .map(|certificate| {
            let der = certificate.to_der().map_err(|_| ClientError::BadRoots)?;
            reqwest::Certificate::from_der(&der).map_err(|_| ClientError::BadRoots)
        })
        .collect()
}

#[cfg(test)]
mod tests;
