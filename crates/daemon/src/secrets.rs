//! Takes known keys out of whatever is about to be written down or shown.
//!
//! A key is found as it is, as JSON escapes it, percent-encoded, and in base64 wherever it begins in the encoded text.
//! Where keys overlap, all of what they cover goes. Text that comes in pieces passes a [`Stream`], which holds back no
//! more than a tail that could still become a key. What stands in a key's place is `[key NAME]`.
//!
//! Deliberately absent: guessing what may be a key by its looks, which masks words and lets keys through; and the
//! dummies of local servers, which would mask ordinary words: `models` knows them.

mod forms;

use crate::keys::Secret;
use aho_corasick::AhoCorasick;
use forms::forms;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use wire::Contents;

/// A shorter form or part of a key may be any word.
const SHORTEST_BYTES: usize = 8;

/// All keys that are known, ready to be looked for. Cheap to clone.
#[derive(Clone, Default)]
pub struct Secrets {
    known: Arc<Known>,
}

#[derive(Default)]
struct Known {
    /// `None` where there is nothing to look for.
    automaton: Option<AhoCorasick>,
    /// What the automaton looks for, with the place of its mask.
    patterns: Vec<(Vec<u8>, usize)>,
    /// The masks, each once.
    masks: Vec<String>,
    /// The names, as the masks.
    names: Vec<String>,
}

/// A run of bytes that keys cover, and the mask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Covered {
    start: usize,
    end: usize,
    /// That of the first key that ends in it, so that a stream can show it as soon as that key has ended.
    mask: usize,
}

impl Secrets {
    /// Knows these keys. Names need not be unique.
    pub fn new(keys: impl IntoIterator<Item = (String, Secret)>) -> Secrets {
        let mut known = Known::default();
        for (name, secret) in keys.into_iter().filter(|(_, secret)| secret.is_secret()) {
            let mask = known.masks.len();
            known.masks.push(format!("[key {name}]"));
            known.names.push(name);
            for form in forms(secret.text()) {
                if !known.patterns.iter().any(|(pattern, _)| *pattern == form) {
                    known.patterns.push((form, mask));
                }
            }
        }
        if !known.patterns.is_empty() {
            let patterns = known.patterns.iter().map(|(pattern, _)| pattern);
            known.automaton =
                Some(AhoCorasick::new(patterns).expect("keys are short, and the daemon knows few of them"));
        }
        Secrets { known: Arc::new(known) }
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.known.automaton.is_none()
    }

    /// The same as [`Secrets::mask`] for a text that is one's own: it comes back as it is where no key stands in it.
    pub fn masked(&self, text: String) -> String {
        match self.mask(&text) {
            Cow::Owned(masked) => masked,
            Cow::Borrowed(_) => text,
        }
    }

    /// The text with each key replaced by its mask.
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let covered = self.known.covered(text.as_bytes());
        if covered.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut masked = String::with_capacity(text.len());
        let mut at = 0;
        for region in covered {
            masked.push_str(&text[at..region.start]);
            masked.push_str(&self.known.masks[region.mask]);
            at = region.end;
        }
        masked.push_str(&text[at..]);
        Cow::Owned(masked)
    }

    /// The same for a text that was cut at its end, where the beginning of a key may be left that nobody knows any more.
    pub fn masked_cut(&self, text: String) -> String {
        let masked = self.masked(text);
        let said = masked.trim_end_matches('…');
        let tail = self.known.tail(said.as_bytes());
        match said.len() - tail {
            SHORTEST_BYTES.. => format!("{}[part of a key]", &said[..tail]),
            _ => masked,
        }
    }

    /// The same for JSON, in which a key may also be written with escapes.
    pub fn masked_json(&self, json: String) -> String {
        match self.unescaped(&json) {
            Some(plain) => self.masked(plain),
            None => self.masked(json),
        }
    }

    /// Whether a key stands in JSON, however it is escaped.
    pub fn stand_in_json(&self, json: &str) -> bool {
        self.holds(json.as_bytes()).is_some() || self.unescaped(json).is_some()
    }

    /// JSON with as few escapes as can be, where a key stands in it that way.
    fn unescaped(&self, json: &str) -> Option<String> {
        if self.is_empty() || !json.contains('\\') {
            return None;
        }
        let plain = serde_json::from_str::<serde_json::Value>(json).ok()?.to_string();
        self.holds(plain.as_bytes()).is_some().then_some(plain)
    }

    /// The name of a key that stands in these bytes.
    pub fn holds(&self, bytes: &[u8]) -> Option<&str> {
        let found = self.known.automaton.as_ref()?.find(bytes)?;
        Some(&self.known.names[self.known.patterns[found.pattern().as_usize()].1])
    }

    /// A file as it may be seen. Where it is no text, what is none goes too.
    pub fn masked_file(&self, contents: Contents) -> Contents {
        match self.holds(&contents.bytes) {
            Some(_) => {
                let bytes = self.mask(&String::from_utf8_lossy(&contents.bytes)).into_owned().into_bytes();
                Contents { bytes, ..contents }
            }
            None => contents,
        }
    }

    /// Whether a mask of one of these keys stands in a text: whoever writes it back would lose the key.
    pub fn mentions_mask(&self, text: &str) -> bool {
        self.known.masks.iter().any(|mask| text.contains(mask))
    }

    /// Whether a change would write a mask that was not there before.
    pub fn writes_mask(&self, before: &[u8], after: &[u8]) -> bool {
        let count =
            |bytes: &[u8], mask: &str| bytes.windows(mask.len()).filter(|window| *window == mask.as_bytes()).count();
        self.known.masks.iter().any(|mask| count(after, mask) > count(before, mask))
    }

    /// Masks a text that comes in pieces.
    pub fn stream(&self) -> Stream {
        Stream { known: self.known.clone(), held: String::new(), masked: 0 }
    }
}

impl Known {
    /// What keys cover, in order; runs that overlap are one.
    fn covered(&self, bytes: &[u8]) -> Vec<Covered> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        let mut regions: Vec<Covered> = Vec::new();
        // By their ends, so a later key may reach back over several runs.
        for found in automaton.find_overlapping_iter(bytes) {
            let mask = self.patterns[found.pattern().as_usize()].1;
            let mut region = Covered { start: found.start(), end: found.end(), mask };
            while let Some(last) = regions.pop_if(|last| last.end > region.start) {
                region = Covered { start: last.start.min(region.start), end: region.end, ..last };
            }
            regions.push(region);
        }
        regions
    }

    /// Where the longest tail begins that is the beginning of a key, and not all of it.
    fn tail(&self, bytes: &[u8]) -> usize {
        let longest = self.patterns.iter().map(|(pattern, _)| pattern.len()).max().unwrap_or(1);
        let from = bytes.len().saturating_sub(longest - 1);
        let begins = |at: &usize| {
            self.patterns
                .iter()
                .any(|(pattern, _)| pattern.len() > bytes.len() - at && pattern.starts_with(&bytes[*at..]))
        };
        (from..bytes.len()).find(begins).unwrap_or(bytes.len())
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").field("names", &self.known.names).finish_non_exhaustive()
    }
}

/// Masks a text that comes in pieces: what it gives, put together, is the mask of the whole.
pub struct Stream {
    known: Arc<Known>,
    /// What may not be shown yet.
    held: String,
    /// How much of it, from its beginning, is under a mask that has been shown.
    masked: usize,
}

impl Stream {
    /// Takes the next piece and gives what may be shown now.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let tail = self.known.tail(self.held.as_bytes());
        self.show(tail)
    }

    /// Gives what was held back; nothing more is coming.
    pub fn flush(&mut self) -> String {
        let end = self.held.len();
        self.show(end)
    }

    /// Shows all before a tail, and the masks of keys that begin at it, since nothing can reach further back.
    fn show(&mut self, tail: usize) -> String {
        let mut shown = String::new();
        let mut at = self.masked;
        for region in self.known.covered(self.held.as_bytes()).into_iter().filter(|region| region.start <= tail) {
            // A run that reaches into what is masked already belongs to that mask.
            if region.start >= at {
                shown.push_str(&self.held[at..region.start]);
                shown.push_str(&self.known.masks[region.mask]);
            }
            at = at.max(region.end);
        }
        if at < tail {
            shown.push_str(&self.held[at..tail]);
            at = tail;
        }
        self.held.drain(..tail);
        self.masked = at - tail;
        shown
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("held_bytes", &self.held.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    fn secrets(keys: &[(&str, &str)]) -> Secrets {
        Secrets::new(keys.iter().map(|(name, key)| ((*name).to_owned(), Secret::new(key).unwrap())))
    }

    #[test]
    fn a_key_is_masked_in_all_its_forms() {
        let key = "sk-canary/+0123456789";
        let secrets = secrets(&[("work", key), ("local", "none")]);
        assert_eq!(secrets.mask("none has sk-canary/+0123456789, or?"), "none has [key work], or?");
        assert_eq!(secrets.mask("?key=sk-canary%2F%2B0123456789&x"), "?key=[key work]&x");
        assert_eq!(secrets.mask("?key=sk-canary%2f%2b0123456789"), "?key=[key work]");
        for before in ["", "u", "me", "me:", "user:"] {
            for encoded in
                [STANDARD_NO_PAD.encode(format!("{before}{key}\n")), URL_SAFE_NO_PAD.encode(format!("{before}{key}!!"))]
            {
                let masked = secrets.mask(&encoded).into_owned();
                assert!(masked.contains("[key work]") && masked.len() < 30, "{before:?}: {masked}");
            }
        }
        assert_eq!(secrets.mask(r"sk-canary\/+0123456789"), "[key work]");
        assert!(matches!(secrets.mask("nothing here"), Cow::Borrowed(_)));
        assert_eq!(secrets.holds(b"\xff sk-canary/+0123456789"), Some("work"));
        assert_eq!(secrets.holds(b"sk-canary/+012345678"), None);
        assert!(secrets.mentions_mask("a [key work] b") && !secrets.mentions_mask("[key local] [key]"));
        assert!(
            secrets.writes_mask(b"key = x", b"key = [key work]")
                && !secrets.writes_mask(b"[key work]", b"a [key work]")
        );
        assert_eq!(secrets.masked(format!("is {key}")), "is [key work]");
        assert!(!format!("{secrets:?} {:?}", secrets.stream()).contains("canary"));
    }

    #[test]
    fn escapes_of_json_hide_no_key() {
        let secrets = secrets(&[("work", "sk-canary-01"), ("odd", "quo\"te\\back")]);
        let hidden = |text: &str| secrets.masked_json(text.to_owned());
        assert_eq!(hidden(r#"{"a":"\u0073k-canary-01"}"#), r#"{"a":"[key work]"}"#);
        assert_eq!(hidden(r#"{"a":"sk-canary-01\n"}"#), r#"{"a":"[key work]\n"}"#);
        assert_eq!(hidden(r#"{"a":"quo\"te\\back"}"#), r#"{"a":"[key odd]"}"#);
        assert_eq!(hidden(r#"{"a": "\u0073k-"}"#), r#"{"a": "\u0073k-"}"#);
        assert!(secrets.stand_in_json(r#"["sk\u002dcanary-01"]"#) && !secrets.stand_in_json(r#"["sk\u002d"]"#));
    }

    #[test]
    fn a_cut_leaves_no_part_of_a_key() {
        let secrets = secrets(&[("work", "sk-canary-01")]);
        let shown = |text: &str| secrets.masked_cut(text.to_owned());
        assert_eq!(shown("sk-canary-01 sk-canary-0"), "[key work] [part of a key]");
        assert_eq!(shown("it is sk-canar…"), "it is [part of a key]");
        assert_eq!(shown("as I task…"), "as I task…");
        assert_eq!(Secrets::default().masked_cut("sk-canar…".to_owned()), "sk-canar…");
    }

    #[test]
    fn keys_that_overlap_leave_nothing() {
        let secrets = secrets(&[("a", "abcdefgh12"), ("b", "efgh12xyzw"), ("c", "cdefgh12xyzwvut")]);
        assert_eq!(secrets.mask("-abcdefgh12xyzwvut-"), "-[key a]-");
        assert_eq!(secrets.mask("abcdefgh12abcdefgh12"), "[key a][key a]");
    }

    #[test]
    fn no_keys_is_no_work() {
        let secrets = secrets(&[("local", "ollama"), ("studio", "lm-studio"), ("llama", "sk-no-key-required")]);
        assert!(secrets.is_empty() && Secrets::default().is_empty());
        assert_eq!(secrets.mask("ollama"), "ollama");
        let mut stream = secrets.stream();
        assert_eq!(stream.push("oll") + &stream.push("ama") + &stream.flush(), "ollama");
    }

    #[test]
    fn only_what_may_become_a_key_waits() {
        let secrets = secrets(&[("work", "sk-canary-01")]);
        let mut stream = secrets.stream();
        assert_eq!(stream.push("it is "), "it is ");
        assert_eq!(stream.push("so, sk"), "so, ");
        assert_eq!(stream.push("y sk-canary-0"), "sky ");
        assert_eq!(stream.push("1 and"), "[key work] and");
        assert_eq!(stream.push(" s"), " ");
        assert_eq!(stream.flush(), "s");
    }

    /// A small generator of numbers, so that a failure can be had again from its seed.
    struct Dice(u64);

    impl Dice {
        fn below(&mut self, bound: usize) -> usize {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 % bound as u64) as usize
        }

        fn word(&mut self, least: usize, most: usize, letters: &str) -> String {
            let letters: Vec<char> = letters.chars().collect();
            (0..least + self.below(most - least + 1)).map(|_| letters[self.below(letters.len())]).collect()
        }
    }

    #[test]
    fn a_stream_shows_what_the_mask_of_the_whole_shows() {
        const SEED: u64 = 0x7469_6e6b_6572_6265;
        const TRIALS: usize = 3_000;
        let mut dice = Dice(SEED);
        let (mut planted, mut pieces) = (0, 0);
        for trial in 0..TRIALS {
            // Few letters, so that keys overlap, repeat themselves and almost begin all over the text.
            let keys: Vec<String> = (0..1 + dice.below(4)).map(|_| dice.word(8, 14, "ab-")).collect();
            let named: Vec<(String, &str)> =
                keys.iter().enumerate().map(|(at, key)| (format!("k{at}"), key.as_str())).collect();
            let secrets = secrets(&named.iter().map(|(name, key)| (name.as_str(), *key)).collect::<Vec<_>>());
            let mut text = String::new();
            for _ in 0..dice.below(6) {
                text.push_str(&dice.word(0, 10, "ab-\u{e4}\u{1f511}"));
                let key = &keys[dice.below(keys.len())];
                text.push_str(&key[dice.below(3)..key.len() - dice.below(3)]);
            }
            planted += keys.iter().map(|key| text.matches(key.as_str()).count()).sum::<usize>();
            let mut stream = secrets.stream();
            let (mut shown, mut given, mut rest) = (String::new(), String::new(), text.as_str());
            while !rest.is_empty() {
                let cut = (1 + dice.below(7)..).find(|cut| rest.is_char_boundary((*cut).min(rest.len()))).unwrap();
                let (piece, after) = rest.split_at(cut.min(rest.len()));
                given.push_str(piece);
                shown.push_str(&stream.push(piece));
                rest = after;
                pieces += 1;
                // What waits is the beginning of a key, as the text so far ends.
                let held = &stream.held;
                let waits =
                    held.is_empty() || keys.iter().any(|key| key.len() > held.len() && key.starts_with(held.as_str()));
                let encoded = stream.known.patterns.iter().any(|(form, _)| form.starts_with(held.as_bytes()));
                assert!(
                    given.ends_with(held.as_str()) && (waits || encoded),
                    "seed {SEED:#x}, trial {trial}: {held:?} waits"
                );
            }
            shown.push_str(&stream.flush());
            assert_eq!(shown, secrets.mask(&text), "seed {SEED:#x}, trial {trial}: {keys:?} in {text:?}");
            let unmasked =
                named.iter().fold(shown.clone(), |text, (name, _)| text.replace(&format!("[key {name}]"), "\n"));
            let out = keys.iter().find(|key| unmasked.contains(key.as_str()));
            assert_eq!(out, None, "seed {SEED:#x}, trial {trial}: {text:?}");
        }
        println!("seed {SEED:#x}: {TRIALS} trials, {pieces} pieces, {planted} keys in them, 0 failures");
    }

    #[test]
    fn every_byte_that_belongs_to_a_key_is_covered() {
        const SEED: u64 = 0x6b65_7973;
        const TRIALS: usize = 3_000;
        let mut dice = Dice(SEED);
        for trial in 0..TRIALS {
            let keys: Vec<String> = (0..1 + dice.below(3)).map(|_| dice.word(8, 11, "ab")).collect();
            let secrets = secrets(&keys.iter().map(|key| ("k", key.as_str())).collect::<Vec<_>>());
            let text = dice.word(0, 60, "ab");
            let mut expected = vec![false; text.len()];
            for key in &keys {
                for at in (0..text.len()).filter(|at| text[*at..].starts_with(key.as_str())) {
                    expected[at..at + key.len()].fill(true);
                }
            }
            let mut covered = vec![false; text.len()];
            for region in secrets.known.covered(text.as_bytes()) {
                covered[region.start..region.end].fill(true);
            }
            assert_eq!(covered, expected, "seed {SEED:#x}, trial {trial}: {keys:?} in {text:?}");
        }
        println!("seed {SEED:#x}: {TRIALS} trials, 0 failures");
    }
}
