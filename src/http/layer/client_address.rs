//! Who is really asking, behind proxies that the operator trusts.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;

use crate::outbound::Cidr;

/// The address of the client: the peer, or what a trusted proxy says of it. Handlers find it in the
/// request's extensions. For limits and for the audit log; it never opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

pub(super) async fn find(
    State(trusted): State<Arc<[Cidr]>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    if let Some(peer) = peer {
        let client = behind_proxies(peer, request.headers(), &trusted);
        request.extensions_mut().insert(ClientAddress(client));
    }
    next.run(request).await
}

/// Counts from the right: each trusted hop vouches for the one before it, and the first that is not
/// trusted is the client. What stands further left, anybody can have written. A hop that is no
/// address is vouched for by nobody: the last good one stands.
fn behind_proxies(peer: IpAddr, headers: &HeaderMap, trusted: &[Cidr]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|range| range.contains(address));
    let mut client = peer.to_canonical();
    // Several header lines are one list (RFC 9110 5.3).
    let mut lines = headers.get_all("x-forwarded-for").iter().collect::<Vec<_>>();
    lines.reverse();
    for line in lines {
        let Ok(line) = line.to_str() else { return client };
        for hop in line.rsplit(',') {
            if !is_trusted(client) {
                return client;
            }
            let Some(address) = parse_hop(hop.trim()) else { return client };
            client = address;
        }
    }
    client
}

/// Some proxies add the port.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    hop.parse::<IpAddr>()
        .or_else(|_| hop.parse::<SocketAddr>().map(|address| address.ip()))
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, lines: &[&str]) -> String {
        let trusted: Vec<Cidr> =
            ["127.0.0.1", "10.0.0.0/8", "::1"].iter().map(|range| range.parse().unwrap()).collect();
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        behind_proxies(peer.parse().unwrap(), &headers, &trusted).to_string()
    }

    #[test]
    fn a_trusted_proxy_names_the_client() {
        assert_eq!(client("127.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::1", &["2001:db8::7"]), "2001:db8::7");
        assert_eq!(client("::ffff:127.0.0.1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["[2001:db8::7]:4711"]), "2001:db8::7");
        assert_eq!(client("127.0.0.1", &["198.51.100.7, 10.1.1.1"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["198.51.100.7", "10.1.1.1,10.2.2.2"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["10.1.1.1"]), "10.1.1.1");
        assert_eq!(client("127.0.0.1", &[]), "127.0.0.1");
    }

    #[test]
    fn what_a_client_writes_itself_changes_nothing() {
        assert_eq!(client("203.0.113.9", &["198.51.100.7"]), "203.0.113.9");
        assert_eq!(client("127.0.0.1", &["1.1.1.1, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["1.1.1.1", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("127.0.0.1", &["10.0.0.1, 198.51.100.7, 10.1.1.1"]), "198.51.100.7");
    }

    #[test]
    fn junk_leaves_the_last_hop_that_was_vouched_for() {
        for junk in ["", "unknown", "_hidden", "999.1.1.1", "10.1.1.1 198.51.100.7", "127.1", "x,"]
        {
            assert_eq!(client("127.0.0.1", &[junk]), "127.0.0.1", "{junk:?}");
        }
        assert_eq!(client("127.0.0.1", &["198.51.100.7, junk, 10.1.1.1"]), "10.1.1.1");
    }
}
