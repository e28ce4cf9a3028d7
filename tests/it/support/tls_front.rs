//! TLS for a real browser: one port that serves every host of a story, each from where it listens.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::rsa::Rsa;
use openssl::ssl::{NameType, Ssl, SslAcceptor, SslMethod};
use openssl::x509::{X509, X509NameBuilder};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_openssl::SslStream;

type Hosts = Arc<Mutex<HashMap<String, SocketAddr>>>;

/// It serves until the test ends.
#[derive(Clone, Debug)]
pub struct TlsFront {
    pub address: SocketAddr,
    hosts: Hosts,
}

impl TlsFront {
    /// Its certificate is nobody's: a browser has to be told to take it.
    pub async fn start() -> Self {
        let acceptor = acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let hosts = Hosts::default();
        let known = hosts.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forward(stream, acceptor.clone(), known.clone()));
            }
        });
        Self { address, hosts }
    }

    /// From now on `origin`, such as `https://one.example`, is served from there.
    pub fn serve(&self, origin: &str, from: SocketAddr) {
        let host = origin.strip_prefix("https://").expect("an https origin");
        self.hosts.lock().unwrap().insert(host.to_owned(), from);
    }
}

/// One connection: the name in its TLS hello says which host is meant. Whatever breaks, breaks for the
/// browser too.
async fn forward(stream: TcpStream, acceptor: SslAcceptor, hosts: Hosts) {
    let Ok(ssl) = Ssl::new(acceptor.context()) else { return };
    let Ok(mut stream) = SslStream::new(ssl, stream) else { return };
    if Pin::new(&mut stream).accept().await.is_err() {
        return;
    }
    let host = stream.ssl().servername(NameType::HOST_NAME).unwrap_or_default().to_owned();
    let address = hosts.lock().unwrap().get(&host).copied();
    if let Some(address) = address
        && let Ok(mut server) = TcpStream::connect(address).await
    {
        let _ = copy_bidirectional(&mut stream, &mut server).await;
    }
}

fn acceptor() -> SslAcceptor {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, "every host of a story").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate.build()).unwrap();
    acceptor.build()
}
