//! Which addresses an outgoing request may reach.
//!
//! URLs of relying parties and of metadata are stored by people whom we do not trust with our
//! network: without this guard they would read and write inside it (server-side request forgery).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::cidr::Cidr;

/// What the operator allows beyond public addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GuardConfig {
    /// Private ranges that stored URLs may point at, for applications on the same premises.
    pub egress_allow: Vec<Cidr>,
    /// Set only when the issuer itself is on loopback: development and the demo.
    pub allow_loopback: bool,
}

/// Why an address is not connected to. A class only: what is behind it is nobody's business.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Private by RFC 1918, RFC 4193 or RFC 6598: `egress_allow` can open it.
    #[error("the address is private; an operator can allow it in egress_allow")]
    Private,
    /// This machine: `egress_allow` opens it only by a range such as 127.0.0.0/8.
    #[error("the address is this machine")]
    Loopback,
    /// Link-local, multicast, reserved or a tunnel: never opened. The metadata services of clouds
    /// are among these.
    #[error("the address is never a web server's (link-local, multicast or reserved)")]
    Reserved,
    /// Plain `http` to a public address would show tokens to everybody on the way.
    #[error("plain http is only for addresses that the operator allowed; use https")]
    PlainHttp,
}

/// Ranges that nothing opens (IANA special-purpose registries, RFC 6890 and its updates).
const RESERVED: &[Cidr] = &[
    Cidr::v4(0, 0, 0, 0, 8),
    Cidr::v4(169, 254, 0, 0, 16),
    Cidr::v4(192, 0, 0, 0, 24),
    Cidr::v4(192, 0, 2, 0, 24),
    Cidr::v4(192, 88, 99, 0, 24),
    Cidr::v4(198, 51, 100, 0, 24),
    Cidr::v4(203, 0, 113, 0, 24),
    Cidr::v4(224, 0, 0, 0, 4),
    Cidr::v4(240, 0, 0, 0, 4),
    // Teredo and other protocol assignments; 6to4 hides an IPv4 address.
    Cidr::v6(0x2001, 0, 23),
    Cidr::v6(0x2001, 0x0db8, 32),
    Cidr::v6(0x2002, 0, 16),
    Cidr::v6(0x3fff, 0, 20),
    Cidr::v6(0x5f00, 0, 16),
    Cidr::v6(0xfe80, 0, 10),
    Cidr::v6(0xfec0, 0, 10),
    Cidr::v6(0xff00, 0, 8),
    // Discard-only, and everything that embeds an IPv4 address in an obsolete way.
    Cidr::v6(0x0100, 0, 8),
    Cidr::v6(0, 0, 8),
];

/// Ranges that `egress_allow` can open.
const PRIVATE: &[Cidr] = &[
    Cidr::v4(10, 0, 0, 0, 8),
    Cidr::v4(100, 64, 0, 0, 10),
    Cidr::v4(172, 16, 0, 0, 12),
    Cidr::v4(192, 168, 0, 0, 16),
    Cidr::v4(198, 18, 0, 0, 15),
    Cidr::v6(0xfc00, 0, 7),
];

/// The metadata service of a cloud that put it into a private range.
const EC2_METADATA_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254);

impl GuardConfig {
    /// Judges one address. `plain` says that the request would not be encrypted.
    pub fn check(&self, address: IpAddr, plain: bool) -> Result<(), Refusal> {
        let address = behind_translation(address.to_canonical());
        if address.is_loopback() {
            // A range that is about more than this machine does not mean this machine.
            let named = |range: &Cidr| range.is_loopback() && range.contains(address);
            let open = self.allow_loopback || self.egress_allow.iter().any(named);
            return if open { Ok(()) } else { Err(Refusal::Loopback) };
        }
        let within = |ranges: &[Cidr]| ranges.iter().any(|range| range.contains(address));
        if within(RESERVED) || address == IpAddr::V6(EC2_METADATA_V6) {
            return Err(Refusal::Reserved);
        }
        if within(&self.egress_allow) {
            return Ok(());
        }
        match (within(PRIVATE), plain) {
            (true, _) => Err(Refusal::Private),
            (false, true) => Err(Refusal::PlainHttp),
            (false, false) => Ok(()),
        }
    }
}

/// An IPv6-only network reaches IPv4 hosts through `64:ff9b::/96` (RFC 6052 2.1): what counts is
/// the host behind it.
fn behind_translation(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.to_bits() >> 32 == 0x0064_ff9b_0000_0000_0000_0000 => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    }
}

/// The resolver that the HTTP client connects by. Only admitted addresses leave it, so there is no
/// moment between the check and the connection in which a name could change its mind.
pub(super) struct GuardedResolver {
    pub(super) guard: GuardConfig,
    pub(super) plain: bool,
    pub(super) limit: Duration,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, plain, limit) = (self.guard.clone(), self.plain, self.limit);
        Box::pin(async move {
            let found = tokio::time::timeout(limit, tokio::net::lookup_host((name.as_str(), 0)))
                .await
                .map_err(|_| ResolveError::Timeout)?
                .map_err(|_| ResolveError::NoAddress)?;
            let admitted = admit(&guard, plain, found)?;
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be reached, or the reason why none may.
fn admit(
    guard: &GuardConfig,
    plain: bool,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let mut refusal = None;
    let mut admitted = Vec::new();
    for address in found {
        match guard.check(address.ip(), plain) {
            Ok(()) => admitted.push(address),
            Err(reason) => refusal = Some(reason),
        }
    }
    match (admitted.is_empty(), refusal) {
        (false, _) => Ok(admitted),
        (true, Some(reason)) => Err(ResolveError::Refused(reason)),
        (true, None) => Err(ResolveError::NoAddress),
    }
}

/// What the resolver reports through the HTTP client; the client finds it in the error's sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum ResolveError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the name has no address")]
    NoAddress,
    #[error("the name service did not answer in time")]
    Timeout,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(guard: &GuardConfig, address: &str) -> Result<(), Refusal> {
        guard.check(address.parse().unwrap(), false)
    }

    #[test]
    fn public_addresses_are_reached_and_their_neighbours_too() {
        let guard = GuardConfig::default();
        for address in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.1",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2606:4700:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
        ] {
            assert_eq!(check(&guard, address), Ok(()), "{address}");
        }
    }

    #[test]
    fn inner_addresses_are_refused_in_every_spelling() {
        let guard = GuardConfig::default();
        for (address, refusal) in [
            ("127.0.0.1", Refusal::Loopback),
            ("127.255.255.254", Refusal::Loopback),
            ("::1", Refusal::Loopback),
            ("::ffff:127.0.0.1", Refusal::Loopback),
            ("64:ff9b::7f00:1", Refusal::Loopback),
            ("10.0.0.1", Refusal::Private),
            ("100.64.0.1", Refusal::Private),
            ("172.16.0.1", Refusal::Private),
            ("172.31.255.255", Refusal::Private),
            ("192.168.1.1", Refusal::Private),
            ("198.18.0.1", Refusal::Private),
            ("::ffff:10.0.0.1", Refusal::Private),
            ("64:ff9b::a00:1", Refusal::Private),
            ("fc00::1", Refusal::Private),
            ("fd12:3456::1", Refusal::Private),
            ("0.0.0.0", Refusal::Reserved),
            ("0.1.2.3", Refusal::Reserved),
            ("169.254.169.254", Refusal::Reserved),
            ("::ffff:169.254.169.254", Refusal::Reserved),
            ("192.0.0.192", Refusal::Reserved),
            ("224.0.0.1", Refusal::Reserved),
            ("255.255.255.255", Refusal::Reserved),
            ("::", Refusal::Reserved),
            ("::7f00:1", Refusal::Reserved),
            ("64:ff9b:1::1", Refusal::Reserved),
            ("2001::1", Refusal::Reserved),
            ("2002:7f00:1::", Refusal::Reserved),
            ("fe80::1", Refusal::Reserved),
            ("fec0::1", Refusal::Reserved),
            ("ff02::1", Refusal::Reserved),
            ("fd00:ec2::254", Refusal::Reserved),
        ] {
            assert_eq!(check(&guard, address), Err(refusal), "{address}");
        }
    }

    #[test]
    fn the_operator_opens_private_ranges_but_no_reserved_one() {
        let guard = GuardConfig {
            egress_allow: vec!["10.1.0.0/16".parse().unwrap(), "0.0.0.0/0".parse().unwrap()],
            allow_loopback: false,
        };
        assert_eq!(check(&guard, "10.1.2.3"), Ok(()));
        assert_eq!(check(&guard, "169.254.169.254"), Err(Refusal::Reserved));
        assert_eq!(check(&guard, "127.0.0.1"), Err(Refusal::Loopback));
        let narrow = GuardConfig {
            egress_allow: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/8".parse().unwrap()],
            allow_loopback: true,
        };
        assert_eq!(check(&narrow, "10.2.0.1"), Err(Refusal::Private));
        assert_eq!(check(&narrow, "127.0.0.1"), Ok(()));
        assert_eq!(check(&narrow, "fd00::1"), Ok(()));
        assert_eq!(check(&narrow, "fd00:ec2::254"), Err(Refusal::Reserved));
    }

    #[test]
    fn this_machine_is_opened_only_by_a_range_of_its_own() {
        let opened_by = |range: &str, address: &str| {
            let guard =
                GuardConfig { egress_allow: vec![range.parse().unwrap()], allow_loopback: false };
            check(&guard, address)
        };
        assert_eq!(opened_by("127.0.0.0/8", "127.0.0.1"), Ok(()));
        assert_eq!(opened_by("127.0.0.7/32", "127.0.0.7"), Ok(()));
        assert_eq!(opened_by("::1/128", "::1"), Ok(()));
        assert_eq!(opened_by("127.0.0.7/32", "127.0.0.1"), Err(Refusal::Loopback));
        assert_eq!(opened_by("0.0.0.0/0", "127.0.0.1"), Err(Refusal::Loopback));
        assert_eq!(opened_by("::/0", "::1"), Err(Refusal::Loopback));
    }

    #[test]
    fn plain_http_reaches_only_what_was_allowed_by_name() {
        let guard = GuardConfig {
            egress_allow: vec!["10.1.0.0/16".parse().unwrap()],
            allow_loopback: true,
        };
        let plain = |address: &str| guard.check(address.parse().unwrap(), true);
        assert_eq!(plain("10.1.0.1"), Ok(()));
        assert_eq!(plain("127.0.0.1"), Ok(()));
        assert_eq!(plain("1.1.1.1"), Err(Refusal::PlainHttp));
        assert_eq!(plain("10.2.0.1"), Err(Refusal::Private));
    }

    #[test]
    fn a_name_with_mixed_addresses_is_reached_at_the_admitted_ones_only() {
        let guard = GuardConfig::default();
        let addresses = |texts: &[&str]| -> Vec<SocketAddr> {
            texts.iter().map(|text| SocketAddr::new(text.parse().unwrap(), 0)).collect()
        };
        let mixed = addresses(&["10.0.0.1", "1.1.1.1", "127.0.0.1"]);
        assert_eq!(admit(&guard, false, mixed.into_iter()), Ok(addresses(&["1.1.1.1"])));
        let inner = addresses(&["10.0.0.1"]);
        let refused = admit(&guard, false, inner.into_iter());
        assert_eq!(refused, Err(ResolveError::Refused(Refusal::Private)));
        assert_eq!(admit(&guard, false, std::iter::empty()), Err(ResolveError::NoAddress));
    }
}
