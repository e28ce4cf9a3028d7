use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::asn1::Asn1Time;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::SubjectAlternativeName;
use openssl::x509::{X509, X509Name};

use super::*;
use crate::outbound::{Refusal, SoapAnswer};

fn client(allow_loopback: bool, roots: Roots) -> Client {
    with_timeouts(allow_loopback, roots, Timeouts::default())
}

fn with_timeouts(allow_loopback: bool, roots: Roots, timeouts: Timeouts) -> Client {
    let guard = GuardConfig { allow_loopback, ..GuardConfig::default() };
    Client::new(guard, &roots, timeouts).unwrap()
}

/// A receiver that gives every connection the same answer after `delay`, and counts them.
struct Receiver {
    port: u16,
    connections: Arc<AtomicUsize>,
    most_at_once: Arc<AtomicUsize>,
}

impl Receiver {
    fn start(answer: impl Into<Vec<u8>>, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (connections, most_at_once) = (Arc::default(), Arc::default());
        let receiver = Self {
            port,
            connections: Arc::clone(&connections),
            most_at_once: Arc::clone(&most_at_once),
        };
        let answer = Arc::new(answer.into());
        let open = Arc::new(AtomicUsize::new(0));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                connections.fetch_add(1, Ordering::SeqCst);
                let (answer, open) = (Arc::clone(&answer), Arc::clone(&open));
                let most_at_once = Arc::clone(&most_at_once);
                std::thread::spawn(move || {
                    let now = open.fetch_add(1, Ordering::SeqCst) + 1;
                    most_at_once.fetch_max(now, Ordering::SeqCst);
                    let mut request = [0; 4096];
                    let _ = stream.read(&mut request);
                    std::thread::sleep(delay);
                    open.fetch_sub(1, Ordering::SeqCst);
                    let _ = stream.write_all(&answer);
                });
            }
        });
        receiver
    }

    fn url(&self, host: &str) -> Url {
        format!("http://{host}:{}/logout", self.port).parse().unwrap()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A receiver that writes `head`, and then `more` over and over, with a pause after each.
fn endless(head: &'static str, more: &'static [u8], pause: Duration) -> Url {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/logout", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let mut going = stream.write_all(head.as_bytes());
            while going.is_ok() {
                going = stream.write_all(more);
                std::thread::sleep(pause);
            }
        }
    });
    url.parse().unwrap()
}

fn answer(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn posts_and_reports_the_status_whatever_it_is() {
    for (line, status) in [("200 OK", 200), ("400 Bad Request", 400), ("503 Busy", 503)] {
        let receiver = Receiver::start(answer(line, "x"), Duration::ZERO);
        let sent = client(true, Roots::default())
            .post_form(&receiver.url("localhost"), &[("logout_token", "a.b.c")])
            .await;
        assert_eq!(sent, Ok(Answer { status, retry_after: None }));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let inner = Receiver::start(answer("200 OK", ""), Duration::ZERO);
    for status in [301, 302, 303, 307, 308] {
        let location = inner.url("127.0.0.1");
        let head = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\n");
        let outer = Receiver::start(head + "Content-Length: 0\r\n\r\n", Duration::ZERO);
        let sent = client(true, Roots::default()).post_form(&outer.url("127.0.0.1"), &[]).await;
        assert_eq!(sent, Ok(Answer { status, retry_after: None }));
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn a_soap_request_is_sent_as_such_and_a_redirect_is_not_followed() {
    let (listener, url) = listen();
    let receiving = std::thread::spawn(move || receive(&listener, "200 OK", "<a/>"));
    let sent = client(true, Roots::default()).post_soap(&url, "<e/>".to_owned(), 100).await;
    assert_eq!(sent, Ok(SoapAnswer { status: 200, body: b"<a/>".to_vec() }));
    let request = receiving.join().unwrap();
    for line in [
        "POST /logout HTTP/1.1",
        "content-type: text/xml; charset=utf-8",
        "soapaction: \"http://www.oasis-open.org/committees/security\"",
        "accept-encoding: identity",
    ] {
        assert!(request.lines().any(|held| held == line), "{line}: {request}");
    }

    let inner = Receiver::start(answer("200 OK", ""), Duration::ZERO);
    for status in [301, 302, 303, 307, 308] {
        let location = inner.url("127.0.0.1");
        let head = format!("HTTP/1.1 {status} X\r\nLocation: {location}\r\n");
        let outer = Receiver::start(head + "Content-Length: 0\r\n\r\n", Duration::ZERO);
        let client = client(true, Roots::default());
        let sent = client.post_soap(&outer.url("127.0.0.1"), String::new(), 100).await;
        assert_eq!(sent, Ok(SoapAnswer { status, body: Vec::new() }));
    }
    assert_eq!(inner.connections(), 0);
}

#[tokio::test]
async fn a_receiver_that_never_ends_costs_its_time_limit_and_no_memory() {
    let short = Timeouts { send: Duration::from_millis(500), ..Timeouts::default() };
    let client = with_timeouts(true, Roots::default(), short);
    let soap = async |url: &Url| client.post_soap(url, String::new(), 10_000).await;
    let form = async |url: &Url| client.post_form(url, &[]).await;
    let pause = Duration::from_millis(20);

    let drip = endless("HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"x", pause);
    assert_eq!(soap(&drip).await, Err(SendError::Timeout));
    assert_eq!(
        form(&drip).await,
        Ok(Answer { status: 200, retry_after: None }),
        "its body means nothing"
    );
    let head = endless("HTTP/1.1 200 OK\r\n", b"X-A: b\r\n", pause);
    assert_eq!(soap(&head).await, Err(SendError::Timeout));
    assert_eq!(form(&head).await, Err(SendError::Timeout));
    let informal = endless("", b"HTTP/1.1 102 Processing\r\n\r\n", pause);
    assert_eq!(soap(&informal).await, Err(SendError::Timeout));
    assert_eq!(form(&informal).await, Err(SendError::Timeout));

    let flood = "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n";
    let flood = endless(flood, &[b'x'; 4096], Duration::ZERO);
    assert_eq!(soap(&flood).await, Err(SendError::TooLarge { max: 10_000 }));
    assert_eq!(form(&flood).await, Ok(Answer { status: 200, retry_after: None }));
}

#[tokio::test]
async fn what_is_compressed_is_not_unpacked() {
    use flate2::{Compression, write::GzEncoder};
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&[b' '; 1_000_000]).unwrap();
    let packed = packed.finish().unwrap();
    assert!(packed.len() < 2_000);
    let mut whole = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    whole.extend_from_slice(&packed);
    let receiver = Receiver::start(whole, Duration::ZERO);
    let client = client(true, Roots::default());
    let sent = client.post_soap(&receiver.url("127.0.0.1"), String::new(), 2_000).await;
    assert_eq!(sent, Ok(SoapAnswer { status: 200, body: packed }));
}

#[tokio::test]
async fn a_stored_url_adds_no_header_and_is_no_template() {
    let (listener, url) = listen();
    let stored =
        format!("{url}\r\nX-Injected: yes\r\n\r\n?sub={{sub}}&${{sid}}=%0d%0aX-Also:%20yes");
    let stored: Url = stored.parse().unwrap();
    let receiving = std::thread::spawn(move || receive(&listener, "200 OK", ""));
    let fields = [("logout_token", "a.b.c")];
    let sent = client(true, Roots::default()).post_form(&stored, &fields).await;
    assert_eq!(sent, Ok(Answer { status: 200, retry_after: None }));
    let request = receiving.join().unwrap();
    let first = request.lines().next().unwrap();
    let line = "POST /logoutX-Injected:%20yes?sub={sub}&${sid}=%0d%0aX-Also:%20yes HTTP/1.1";
    assert_eq!(first, line);
    assert!(request.lines().all(|line| !line.to_lowercase().starts_with("x-")), "{request}");
    assert!(request.ends_with("\r\n\r\nlogout_token=a.b.c"), "{request}");
}

#[tokio::test]
async fn loopback_is_not_even_connected_to_unless_it_is_allowed() {
    let receiver = Receiver::start(answer("200 OK", ""), Duration::ZERO);
    for host in ["127.0.0.1", "localhost", "0x7f.1", "[::ffff:127.0.0.1]"] {
        let url = receiver.url(host);
        let error = client(false, Roots::default()).post_form(&url, &[]).await.unwrap_err();
        let by_soap = client(false, Roots::default()).post_soap(&url, String::new(), 1).await;
        assert_eq!(by_soap, Err(error), "{host}");
        assert_eq!(error, SendError::Blocked(Refusal::Loopback), "{host}");
        assert!(!error.is_transient());
    }
    assert_eq!(receiver.connections(), 0);
    let allowed = client(true, Roots::default());
    assert!(allowed.post_form(&receiver.url("127.0.0.1"), &[]).await.is_ok());
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn urls_that_must_not_be_asked_are_refused_without_a_connection() {
    let client = client(true, Roots::default());
    for (url, error) in [
        ("http://1.1.1.1/", SendError::Blocked(Refusal::PlainHttp)),
        ("https://10.0.0.1/", SendError::Blocked(Refusal::Private)),
        ("http://169.254.169.254/latest", SendError::Blocked(Refusal::Reserved)),
        ("https://[fe80::1]/", SendError::Blocked(Refusal::Reserved)),
        ("ftp://example.com/", SendError::NotHttp),
        ("file:///etc/passwd", SendError::NotHttp),
    ] {
        let url = url.parse().unwrap();
        assert_eq!(client.get(&url, 1).await, Err(error), "{url}");
        assert_eq!(client.post_form(&url, &[]).await, Err(error), "{url}");
        assert_eq!(client.post_soap(&url, String::new(), 1).await, Err(error), "{url}");
    }
}

#[tokio::test]
async fn silence_and_refused_connections_may_pass() {
    let silent = Receiver::start("", Duration::from_secs(5));
    let short = Duration::from_millis(300);
    let short = Timeouts { send: short, place: short, ..Timeouts::default() };
    let impatient = with_timeouts(true, Roots::default(), short);
    let error = impatient.post_form(&silent.url("127.0.0.1"), &[]).await.unwrap_err();
    assert_eq!((error, error.is_transient()), (SendError::Timeout, true));

    let client = client(true, Roots::default());
    let closing = Receiver::start("", Duration::ZERO);
    let error = client.post_form(&closing.url("127.0.0.1"), &[]).await.unwrap_err();
    assert_eq!((error, error.is_transient()), (SendError::Interrupted, true));

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let error = client.post_form(&nobody, &[]).await.unwrap_err();
    assert_eq!((error, error.is_transient()), (SendError::Connect, true));
}

#[tokio::test]
async fn a_document_is_read_up_to_its_limit() {
    let receiver = Receiver::start(answer("200 OK", "0123456789"), Duration::ZERO);
    let client = client(true, Roots::default());
    let url = receiver.url("127.0.0.1");
    let validators = Validators::default();
    let whole = Fetched { status: 200, body: b"0123456789".to_vec(), validators };
    assert_eq!(client.get(&url, 10).await, Ok(whole));
    assert_eq!(client.get(&url, 9).await, Err(SendError::TooLarge { max: 9 }));
}

#[tokio::test]
async fn at_most_four_requests_reach_one_host_at_once() {
    let receiver = Receiver::start(answer("200 OK", ""), Duration::from_millis(60));
    let client = client(true, Roots::default());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..12 {
        let (client, url) = (client.clone(), receiver.url("127.0.0.1"));
        tasks.spawn(async move { client.post_form(&url, &[]).await });
    }
    let sent = tasks.join_all().await;
    assert!(sent.iter().all(Result::is_ok), "{sent:?}");
    assert_eq!(receiver.most_at_once.load(Ordering::SeqCst), PER_HOST);
}

#[tokio::test]
async fn who_waits_too_long_for_a_place_is_told_so() {
    let silent = Receiver::start("", Duration::from_secs(5));
    let short = Duration::from_millis(300);
    let short = Timeouts { send: short, place: short, ..Timeouts::default() };
    let client = with_timeouts(true, Roots::default(), short);
    let url = silent.url("127.0.0.1");
    let mut places = Vec::new();
    for _ in 0..PER_HOST {
        places.push(client.0.places.take(&url).await);
    }
    assert_eq!(client.post_form(&url, &[]).await, Err(SendError::Busy));
    // Another host is not held up, and a free place is used.
    let other = Receiver::start(answer("200 OK", ""), Duration::ZERO);
    assert!(client.post_form(&other.url("localhost"), &[]).await.is_ok());
    places.pop();
    assert_eq!(client.post_form(&url, &[]).await, Err(SendError::Timeout));
    // It did not answer: now it gets one request at a time, and none while others hold a place.
    assert_eq!(client.post_form(&url, &[]).await, Err(SendError::Busy));
    drop(places);
    assert_eq!(client.post_form(&url, &[]).await, Err(SendError::Timeout));
}

#[tokio::test]
async fn hosts_that_hang_hold_up_nobody_else() {
    // One listener that never accepts is as many hosts as this machine has loopback addresses.
    let nobody = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    let hanging = |host: usize| -> Url {
        format!("http://127.0.{}.{}:{port}/", host / 250, host % 250 + 1).parse().unwrap()
    };
    let healthy = Receiver::start(answer("200 OK", ""), Duration::ZERO);
    let send = Duration::from_millis(700);
    let timeouts = Timeouts { send, place: send, ..Timeouts::default() };
    let client = with_timeouts(true, Roots::default(), timeouts);
    let posts = |client: &Client, hosts: usize| {
        let post = |host| {
            let (client, url) = (client.clone(), hanging(host));
            tokio::spawn(async move { client.post_form(&url, &[]).await })
        };
        (0..hosts).map(post).collect::<Vec<_>>()
    };
    for post in posts(&client, 200) {
        assert_eq!(post.await.unwrap(), Err(SendError::Timeout));
    }

    // From now on they are known: ten times as many requests as there are places.
    let again: Vec<_> = (0..13).flat_map(|_| posts(&client, 200)).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let begun = std::time::Instant::now();
    let sent = client.post_form(&healthy.url("127.0.0.1"), &[]).await;

    assert_eq!(sent, Ok(Answer { status: 200, retry_after: None }));
    assert!(begun.elapsed() < send / 2, "{:?}", begun.elapsed());
    let mut busy = 0;
    for post in again {
        busy += usize::from(post.await.unwrap() == Err(SendError::Busy));
    }
    assert!(busy > 2_000, "{busy} found no place");
}

#[tokio::test]
async fn an_overloaded_receiver_says_when_to_come_again() {
    let head =
        "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let receiver = Receiver::start(head, Duration::ZERO);
    let sent = client(true, Roots::default()).post_form(&receiver.url("127.0.0.1"), &[]).await;
    let retry_after = Some(RetryAfter::Pause(Duration::from_secs(7)));
    assert_eq!(sent, Ok(Answer { status: 503, retry_after }));
}

#[tokio::test]
async fn an_unknown_certificate_gets_no_request_and_a_known_one_does() {
    let (key, certificate) = self_signed("localhost");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let url: Url = format!("https://localhost:{port}/").parse().unwrap();
    let wrong_name: Url = format!("https://127.0.0.1:{port}/").parse().unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    let acceptor = acceptor.build();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut tls) = acceptor.accept(stream.unwrap()) else { continue };
            if tls.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = tls.write_all(answer("204 No Content", "").as_bytes());
            }
        }
    });

    let error = client(true, Roots::default()).post_form(&url, &[]).await.unwrap_err();
    assert_eq!((error, error.is_transient()), (SendError::Tls, true));
    let known = client(true, Roots(Some(certificate.to_pem().unwrap())));
    assert_eq!(known.post_form(&wrong_name, &[]).await, Err(SendError::Tls));
    assert_eq!(known.post_soap(&wrong_name, String::new(), 1).await, Err(SendError::Tls));
    assert_eq!(requests.load(Ordering::SeqCst), 0);
    assert_eq!(known.post_form(&url, &[]).await, Ok(Answer { status: 204, retry_after: None }));
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}

#[test]
fn roots_without_a_certificate_are_an_error() {
    let roots = Roots(Some(b"not a certificate".to_vec()));
    let made = Client::new(GuardConfig::default(), &roots, Timeouts::default());
    assert_eq!(made.err(), Some(ClientError::BadRoots));
}

fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}/logout", listener.local_addr().unwrap().port());
    (listener, url.parse().unwrap())
}

/// Answers one request, and returns it as it came.
fn receive(listener: &TcpListener, status: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut part) {
        request.extend_from_slice(&part[..read]);
    }
    stream.write_all(answer(status, body).as_bytes()).unwrap();
    String::from_utf8(request).unwrap()
}

fn self_signed(name: &str) -> (PKey<Private>, X509) {
    let key = PKey::from_rsa(openssl::rsa::Rsa::generate(2048).unwrap()).unwrap();
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    let names =
        SubjectAlternativeName::new().dns(name).build(&builder.x509v3_context(None, None)).unwrap();
    builder.append_extension(names).unwrap();
    builder.sign(&key, openssl::hash::MessageDigest::sha256()).unwrap();
    (key, builder.build())
}
