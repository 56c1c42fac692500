//! The keys, and the look for any piece of them.

use super::serving::dialect::Dialect;
use base64::Engine;
use base64::prelude::BASE64_STANDARD as BASE64;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};
use testkit::Rng;

/// Decides the keys.
const SEED: u64 = 20;
/// So many bytes of a key are a leak.
pub(crate) const FRAGMENT: usize = 10;

/// A key of each provider, found in another way each, and one that nobody uses.
#[derive(Clone)]
pub(crate) struct Keys(pub(crate) BTreeMap<&'static str, String>);

impl Keys {
    pub(crate) fn new() -> Keys {
        let letters: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').chain("-_+/".chars()).collect();
        let mut random = Rng::new(SEED);
        // Every other one can be the name of a file.
        let mut key =
            |letters: &[char]| (0..40).map(|_| letters[random.below(letters.len() as u64) as usize]).collect();
        let names = Dialect::ALL.map(Dialect::provider).into_iter().chain(["spare"]).enumerate();
        Keys(names.map(|(at, name)| (name, key(&letters[..letters.len() - at % 2]))).collect())
    }

    pub(crate) fn of(&self, dialect: Dialect) -> &str {
        &self.0[dialect.provider()]
    }
}

/// A look into places.
pub(crate) struct Search {
    fragments: BTreeSet<Vec<u8>>,
    pub(crate) places: BTreeMap<&'static str, (u64, u64)>,
    pub(crate) hits: Vec<String>,
}

impl Search {
    pub(crate) fn new(keys: &Keys) -> Search {
        let mut fragments = BTreeSet::new();
        for key in keys.0.values() {
            let forms = [key.clone(), BASE64.encode(key), key.replace('/', "%2F").replace('+', "%2B")];
            fragments.extend(forms.iter().flat_map(|form| form.as_bytes().windows(FRAGMENT)).map(<[u8]>::to_vec));
        }
        Search { fragments, places: BTreeMap::new(), hits: Vec::new() }
    }

    pub(crate) fn look(&mut self, kind: &'static str, place: &str, bytes: &[u8]) {
        let counted = self.places.entry(kind).or_default();
        *counted = (counted.0 + 1, counted.1 + bytes.len() as u64);
        if let Some(at) = bytes.windows(FRAGMENT).position(|window| self.fragments.contains(window)) {
            let around = &bytes[at.saturating_sub(120)..(at + 60).min(bytes.len())];
            self.hits.push(format!("{kind}, {place}: …{}…", String::from_utf8_lossy(around)));
        }
    }

    /// Files below a directory, apart from those in directories of these names.
    pub(crate) fn files(&mut self, kind: &'static str, directory: &Path, apart: &[&str]) {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let (path, about) = (entry.path(), entry.file_type().unwrap());
            self.look("names of files", &path.display().to_string(), path.as_os_str().as_encoded_bytes());
            if about.is_dir() && !apart.iter().any(|name| entry.file_name() == **name) {
                if path.extension().is_some_and(|extension| extension == "git") {
                    self.objects(&path);
                }
                self.files(kind, &path, apart);
            } else if about.is_file() {
                self.look(kind, &path.display().to_string(), &std::fs::read(&path).unwrap());
            }
        }
    }

    /// What a repository of git holds.
    pub(crate) fn objects(&mut self, repository: &Path) {
        let all = ["cat-file", "--batch-all-objects", "--batch", "--unordered"];
        let output = Command::new("git").arg("-C").arg(repository).args(all).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.look("repositories unpacked", &repository.display().to_string(), &output.stdout);
    }

    pub(crate) fn said(&mut self, what: &str, output: &Output) {
        self.look("answers of commands", what, &[&output.stdout[..], &output.stderr].concat());
    }

    pub(crate) fn report(&self) {
        for (kind, (places, bytes)) in &self.places {
            println!("{kind}: {places} searched, {bytes} bytes");
        }
        let (places, bytes) = self.places.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        println!("canary: seed {SEED}, places {places}, bytes {bytes}, found {}", self.hits.len());
    }
}
