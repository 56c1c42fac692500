//! How long a provider asks us to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// The longest wait that is passed on: a day. The brain has a limit of its own below it.
pub(crate) const MAX_RETRY_AFTER_MS: u64 = 24 * 60 * 60 * 1000;

/// Reads the headers of a refusal. A date is measured from the server's own `Date`, since clocks differ; `now` stands in
/// where there is none.
pub(crate) fn retry_after_ms(headers: &HeaderMap, now: Timestamp) -> Option<u64> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(wait) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return bounded(wait);
    }
    let given = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = given.parse::<f64>() {
        return bounded(seconds * 1000.0);
    }
    let date = |text: &str| DateTimeParser::new().parse_timestamp(text).ok();
    let until = date(given)?;
    let since = text(DATE.as_str()).and_then(date).unwrap_or(now);
    let wait = until.as_millisecond().saturating_sub(since.as_millisecond());
    Some(u64::try_from(wait).unwrap_or(0).min(MAX_RETRY_AFTER_MS))
}

fn bounded(wait_ms: f64) -> Option<u64> {
    // The cast saturates, and the sum of a day's milliseconds is far below what a float holds exactly.
    (wait_ms >= 0.0).then(|| (wait_ms.ceil() as u64).min(MAX_RETRY_AFTER_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_and_their_odd_relatives_are_read() {
        let now: Timestamp = "1994-11-06T08:49:30Z".parse().unwrap();
        let read = |fields: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in fields {
                headers.insert(*name, value.parse().unwrap());
            }
            retry_after_ms(&headers, now)
        };
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(read(&[("retry-after", "7")]), Some(7000));
        assert_eq!(read(&[("retry-after", "0.25")]), Some(250));
        assert_eq!(read(&[("retry-after", "9"), ("retry-after-ms", "1500")]), Some(1500));
        assert_eq!(read(&[("retry-after", date)]), Some(7000));
        assert_eq!(read(&[("retry-after", date), ("date", "Sun, 06 Nov 1994 08:49:36 GMT")]), Some(1000));
        assert_eq!(read(&[("retry-after", date), ("date", "Sun, 06 Nov 1994 08:49:59 GMT")]), Some(0));
        assert_eq!(read(&[("retry-after", "1e300")]), Some(MAX_RETRY_AFTER_MS));
        for wrong in ["-1", "soon", "NaN", ""] {
            assert_eq!(read(&[("retry-after", wrong)]), None, "{wrong:?}");
        }
        assert_eq!(read(&[]), None);
    }
}
