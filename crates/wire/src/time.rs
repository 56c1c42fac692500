//! Times as they are written: RFC 3339, UTC, always six digits of a second.

use agent::Micros;
use jiff::Timestamp;

/// Writes a time, such as `2026-11-23T09:00:00.123456Z`.
pub fn write(at: Micros) -> String {
    let time = Timestamp::from_microsecond(at.0).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.6}")
}

/// Reads what [`write`] writes, and any other RFC 3339 time.
pub fn read(text: &str) -> Option<Micros> {
    text.parse::<Timestamp>().ok().map(|time| Micros(time.as_microsecond()))
}

/// Whether a time zone has this name, such as `Europe/Berlin`.
pub fn is_zone(name: &str) -> bool {
    jiff::tz::TimeZone::get(name).is_ok()
}

/// The day (UTC) of a time, such as `2026-11-23`: the scope of a daily budget.
pub fn day(at: Micros) -> String {
    write(at)[..10].to_owned()
}

/// For serde's `with`.
pub mod text {
    use super::Micros;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes a time as text.
    pub fn serialize<S: Serializer>(at: &Micros, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&super::write(*at))
    }

    /// Reads a time from text.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Micros, D::Error> {
        let text = std::borrow::Cow::<'_, str>::deserialize(d)?;
        super::read(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 time"))
    }
}

/// For serde's `with`, of a time that may be absent.
pub mod optional {
    use super::Micros;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    /// Writes a time as text.
    pub fn serialize<S: Serializer>(at: &Option<Micros>, s: S) -> Result<S::Ok, S::Error> {
        match at {
            Some(at) => s.serialize_some(&super::write(*at)),
            None => s.serialize_none(),
        }
    }

    /// Reads a time from text.
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Micros>, D::Error> {
        let text = Option::<String>::deserialize(d)?;
        let read = |text: String| super::read(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 time"));
        text.map(read).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_six_digits_and_read_back() {
        let at = Micros(1_763_888_400_123_000);
        assert_eq!(write(at), "2025-11-23T09:00:00.123000Z");
        assert_eq!(read(&write(at)), Some(at));
        assert_eq!(day(at), "2025-11-23");
    }
}
