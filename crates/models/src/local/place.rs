//! Places where a server may be: loopback addresses and nothing else, whatever is given.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The port of Ollama.
const OLLAMA: u16 = 11434;
/// The ports of llama.cpp, of a second one beside it, of LM Studio and of vLLM.
const OTHERS: [u16; 4] = [8080, 8081, 1234, 8000];

/// A loopback address with a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(SocketAddr);

/// An address is not on this machine, or is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a loopback address with a port, such as 127.0.0.1:11434; only this machine is searched")]
pub struct NotLocal {
    given: String,
}

impl Place {
    /// An address such as `127.0.0.1:8080`, `localhost:8080` or `http://[::1]:8080/v1`; what follows the port is dropped.
    pub fn new(address: &str) -> Result<Place, NotLocal> {
        Place::read(address, None).ok_or_else(|| NotLocal { given: address.chars().take(100).collect() })
    }

    /// Where an Ollama with this `OLLAMA_HOST` can be reached from here. The variable names what a server listens on, so
    /// an unspecified address means this machine too, and a missing port the usual one. `None` for other machines.
    pub fn of_ollama_host(value: &str) -> Option<Place> {
        Place::read(value, Some(OLLAMA))
    }

    /// The places that servers use unless they are told otherwise.
    pub fn usual() -> Vec<Place> {
        let at = |port| Place(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        std::iter::once(OLLAMA).chain(OTHERS).map(at).collect()
    }

    fn read(text: &str, default_port: Option<u16>) -> Option<Place> {
        let text = text.trim().trim_matches('"');
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        let bare = bare.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = match bare.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
            _ => (bare, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let ip = match host {
            "" | "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
            host => host.parse().ok()?,
        };
        let ip = match ip {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        ip.is_loopback().then(|| port.or(default_port))?.map(|port| Place(SocketAddr::new(ip, port)))
    }

    /// The root of the server there.
    pub(super) fn root(self) -> String {
        format!("http://{}", self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_a_place() {
        for (given, place) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://localhost:1234/v1", "127.0.0.1:1234"),
            ("https://[::1]:9/x?y", "[::1]:9"),
            ("0.0.0.0:7", "127.0.0.1:7"),
        ] {
            assert_eq!(Place::new(given).unwrap().to_string(), place);
        }
        for wrong in
            ["127.0.0.1", "192.168.0.2:80", "example.org:80", "localhost.example:80", "1.1.1.1@127.0.0.1:80", ""]
        {
            let error = Place::new(wrong).unwrap_err().to_string();
            assert!(error.contains("loopback"), "{error}");
        }
    }

    #[test]
    fn the_variable_of_ollama_is_read_as_ollama_reads_it() {
        let place = |value| Place::of_ollama_host(value).map(|place| place.to_string());
        for same in ["", "0.0.0.0", "127.0.0.1", "http://localhost", ":11434", "\"0.0.0.0:11434\""] {
            assert_eq!(place(same).as_deref(), Some("127.0.0.1:11434"), "{same:?}");
        }
        assert_eq!(place("[::]:5000").as_deref(), Some("[::1]:5000"));
        assert_eq!(place("192.168.1.5:11434"), None);
        assert_eq!(place("127.0.0.1:99999"), None);
    }
}
