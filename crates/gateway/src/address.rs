//! Addresses to which nothing is sent unless an operator listed the host. No I/O.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Azure's metadata service; those of the other clouds are link-local, shared or unique-local.
const AZURE_METADATA: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Whether the address is one of the public internet (IANA's special-purpose registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match (a, b, c) {
        (0, ..) => true,                                          // this network
        (100, 64..=127, _) => true,                               // shared by carriers (CGNAT)
        (192, 0, 0 | 2) | (198, 51, 100) | (203, 0, 113) => true, // protocols, documentation
        (192, 88, 99) => true,                                    // 6to4 relays
        (198, 18..=19, _) => true,                                // benchmarks
        (224.., ..) => true,                                      // multicast, reserved, broadcast
        _ => false,
    };
    !special
        && !address.is_private()
        && !address.is_loopback()
        && !address.is_link_local()
        && address != AZURE_METADATA
}

/// Global unicast is 2000::/3; what embeds an IPv4 address (mapped, NAT64, 6to4, Teredo) is either
/// outside of it or taken out here.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let special = match first {
        0x2001 => second < 0x0200 || second == 0x0db8, // protocols with Teredo, documentation
        0x2002 => true,                                // 6to4
        0x3fff => second < 0x1000,                     // documentation
        _ => false,
    };
    first & 0xe000 == 0x2000 && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let check = |text: &str| is_public(text.parse().expect(text));
        for public in ["1.1.1.1", "167.89.115.53", "100.63.0.1", "100.128.0.1", "2606:4700::1111"] {
            assert!(check(public), "{public}");
        }
        for refused in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "169.254.169.254",
            "172.16.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "::1.1.1.1",
            "64:ff9b::1.1.1.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:101:101::1",
            "3fff::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!check(refused), "{refused}");
        }
    }
}
