//! Which addresses a server may connect to on somebody's behalf.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address belongs to the public internet. Addresses that carry another one inside
/// (mapped, translated, tunnelled) are judged by that one.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Whether a cloud hands out its machines' credentials at this address. Nothing that is done on somebody's behalf has any
/// business there, whatever else is allowed.
#[must_use]
pub fn is_metadata(address: IpAddr) -> bool {
    let address = match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => match carried(address) {
            Some(inner) => inner,
            // AWS for machines and for pods, Google.
            None => {
                return matches!(
                    address.segments(),
                    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254 | 0x23] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
                );
            }
        },
    };
    matches!(
        address.octets(),
        // Nearly everyone; AWS for containers and for pods; Tencent.
        [169, 254, 169, 254] | [169, 254, 170, 2 | 23] | [169, 254, 0, 23]
            // Alibaba, Azure, Oracle.
            | [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192]
    )
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let reserved = match (a, b, c) {
        (0 | 10 | 127 | 224..=255, _, _) => true,
        (100, 64..=127, _) => true,
        // Link-local; the metadata services of clouds live here.
        (169, 254, _) => true,
        (172, 16..=31, _) => true,
        (192, 168, _) => true,
        // Protocol assignments, documentation, the retired 6to4 relay.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 51, 100) | (203, 0, 113) => true,
        // Benchmarks between devices.
        (198, 18 | 19, _) => true,
        // A cloud's metadata service that stands among public addresses.
        (168, 63, 129) => address == Ipv4Addr::new(168, 63, 129, 16),
        _ => false,
    };
    !reserved
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = carried(address) {
        return is_public_v4(inner);
    }
    match address.segments() {
        // Teredo, ORCHID, benchmarks and documentation lie within the first block of global addresses.
        [0x2001, second, ..] if second < 0x200 || second == 0xdb8 => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        // Global unicast is 2000::/3; everything else is loopback, local, multicast or unassigned.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// The IPv4 address that packets to this one end up at.
fn carried(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let inner = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match address.segments() {
        // Translated to IPv4 on the way (NAT64).
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(inner(high, low)),
        // 6to4 carries an IPv4 address behind its prefix.
        [0x2002, high, low, ..] => Some(inner(high, low)),
        _ => address.to_ipv4_mapped(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use proptest::prelude::*;

    use super::{is_metadata, is_public};

    #[test]
    fn addresses_of_the_inside_are_told_from_public_ones() {
        let check = |address: &str, want: bool| assert_eq!(is_public(address.parse().unwrap()), want, "{address}");
        for outside in [
            "1.1.1.1",
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "192.0.1.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "64:ff9b::101:101",
        ] {
            check(outside, true);
        }
        for inside in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.9.9.9",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
            "3fff::1",
            "4000::1",
            "100::1",
        ] {
            check(inside, false);
        }
    }

    proptest! {
        #[test]
        fn an_inner_address_is_inside_however_it_is_wrapped(a in any::<u8>(), b in any::<u8>(), c in any::<u8>()) {
            for inner in [Ipv4Addr::new(127, a, b, c), Ipv4Addr::new(10, a, b, c), Ipv4Addr::new(169, 254, b, c), Ipv4Addr::new(192, 168, b, c)] {
                let [w, x, y, z] = inner.octets();
                let (high, low) = (u16::from_be_bytes([w, x]), u16::from_be_bytes([y, z]));
                prop_assert!(!is_public(IpAddr::V4(inner)));
                for wrapped in [
                    inner.to_ipv6_mapped(),
                    inner.to_ipv6_compatible(),
                    Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                    Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
                ] {
                    prop_assert!(!is_public(IpAddr::V6(wrapped)), "{wrapped}");
                }
            }
        }
    }

    #[test]
    fn metadata_services_are_known_however_they_are_written() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
        ] {
            let address = address.parse().unwrap();
            assert!(is_metadata(address) && !is_public(address), "{address}");
        }
        for address in ["127.0.0.1", "10.0.0.1", "169.254.1.1", "1.1.1.1", "::1", "fd00::1", "2606:4700::1111"] {
            assert!(!is_metadata(address.parse().unwrap()), "{address}");
        }
    }
}
