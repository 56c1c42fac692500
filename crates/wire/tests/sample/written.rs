//! A sample as it is written, which it only becomes if it reads back to the same value.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fmt::{Debug, Write};

/// The text of a sample, and the shape that it is one of.
pub(crate) struct Written {
    /// The name of the struct or enum.
    pub(crate) shape: &'static str,
    /// The JSON.
    pub(crate) json: String,
    reads: fn(&str) -> bool,
}

impl Written {
    /// Writes a sample and reads it back.
    pub(super) fn new<T: Serialize + DeserializeOwned + PartialEq + Debug>(shape: &'static str, sample: T) -> Written {
        let json = serde_json::to_string(&sample).expect("a sample is plain data");
        let read: T = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{shape}: {error}: {json}"));
        assert_eq!(read, sample, "{shape} does not read back from {json}");
        Written { shape, json, reads: |json| serde_json::from_str::<T>(json).is_ok() }
    }

    /// Whether it still reads when it says more than is known here; `None` where it is no object.
    pub(crate) fn reads_with_more(&self) -> Option<bool> {
        let rest = self.json.strip_prefix('{')?;
        let comma = if rest == "}" { "" } else { "," };
        Some((self.reads)(&format!("{{\"later\":{{\"a\":[1,null]}}{comma}{rest}")))
    }

    /// The JSON, read.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_str(&self.json).expect("it was read back when it was made")
    }
}

/// A line for each sample, with its shape: `{"shape":…,"json":…}`.
pub(crate) fn lines(samples: &[Written]) -> String {
    samples.iter().fold(String::new(), |mut out, Written { shape, json, .. }| {
        writeln!(out, "{{\"shape\":\"{shape}\",\"json\":{json}}}").expect("a string takes whatever is written");
        out
    })
}

/// An object with a list for each shape and a line for each sample.
pub(crate) fn by_shape(samples: &[Written]) -> String {
    let lists: Vec<String> = samples
        .chunk_by(|one, next| one.shape == next.shape)
        .map(|list| {
            let lines: Vec<_> = list.iter().map(|sample| format!("    {}", sample.json)).collect();
            format!("  \"{}\": [\n{}\n  ]", list[0].shape, lines.join(",\n"))
        })
        .collect();
    format!("{{\n{}\n}}\n", lists.join(",\n"))
}

/// Writes samples of several shapes, each shape once: `written![Prompt: [a, b], Seen: [c]]`.
macro_rules! written {
    ($($shape:ident: [$($sample:expr),* $(,)?]),* $(,)?) => {
        vec![$($($crate::sample::Written::new::<$shape>(stringify!($shape), $sample)),*),*]
    };
}
pub(super) use written;
