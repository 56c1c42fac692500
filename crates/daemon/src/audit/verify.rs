//! Computing everything anew: the chain of heads, the signatures over it, every journal, every blob.
//!
//! All parts are looked at though an earlier one is damaged, and of each journal the first damage is told. The daemon goes
//! on meanwhile: what is appended during an audit is left to the next one.

use crate::archive;
use crate::house::House;
use agent::{Event, PublicKey, Seq, SessionId};
use ed25519_dalek::VerifyingKey;
use store::{JournalId, JournalRow, ReadError, Signature, VerifyError};
use tokio::sync::mpsc;
use wire::audit::signed_link;
use wire::rest::{AuditPart, AuditProgress, AuditReport, Damage, Signed};
use wire::{ChainHash, Header};

/// Damages that a report lists; where there are more, it is not for their number.
const MOST_DAMAGES: usize = 64;
/// Journals, and signatures, read at a time.
const PAGE: u64 = 256;
/// Things looked at between two words of how far it has come.
const TOLD_EVERY: u64 = 2048;

/// Where it is told how far an audit has come. Who does not listen is not waited for.
pub(crate) type Told = mpsc::Sender<AuditProgress>;

/// An audit under way.
struct Audit<'a> {
    house: &'a House,
    told: Option<Told>,
    last_told: (AuditPart, u64),
    report: AuditReport,
}

/// Computes everything anew. What cannot be read counts as damage; only a store that is closed ends the audit early.
pub(crate) async fn verify(house: &House, told: Option<Told>) -> Result<AuditReport, ReadError> {
    let report = AuditReport {
        sound: true,
        journals: 0,
        events: 0,
        forgotten: 0,
        links: 0,
        archived: 0,
        removed: 0,
        signatures: 0,
        blobs: 0,
        signed: None,
        keys: Vec::new(),
        damage: Vec::new(),
    };
    let mut audit = Audit { house, told, last_told: (AuditPart::Heads, 0), report };
    audit.heads().await?;
    audit.keys().await?;
    audit.signatures().await?;
    audit.journals().await?;
    audit.blobs().await?;
    audit.report.sound = audit.report.damage.is_empty();
    Ok(audit.report)
}

/// The same without progress, for whoever has a house assembled.
pub async fn audited(house: &House) -> Result<AuditReport, ReadError> {
    verify(house, None).await
}

impl Audit<'_> {
    fn tell(&mut self, part: AuditPart, done: u64) {
        tell(&self.told, &mut self.last_told, part, done);
    }

    fn damaged(&mut self, damage: Damage) {
        if self.report.damage.len() < MOST_DAMAGES {
            self.report.damage.push(damage);
        }
    }

    /// Notes what a part found; gives a store that is closed back.
    fn found<T>(&mut self, part: AuditPart, outcome: Result<T, VerifyError>) -> Result<Option<T>, ReadError> {
        let (mut journal, mut place, mut link) = (None, None, None);
        let what = match outcome {
            Ok(fine) => return Ok(Some(fine)),
            Err(VerifyError::Read(ReadError::Closed)) => return Err(ReadError::Closed),
            Err(VerifyError::Event { journal: of, seq, what }) => {
                (journal, place) = (Some(of), Some(seq));
                what.to_owned()
            }
            Err(VerifyError::Link { place, what }) => {
                link = Some(place);
                what.to_owned()
            }
            Err(VerifyError::Blob { blob, what }) => format!("blob {blob}: {what}"),
            Err(VerifyError::Read(error)) => error.to_string(),
        };
        self.damaged(Damage { part, journal, seq: place, link, what });
        Ok(None)
    }

    async fn heads(&mut self) -> Result<(), ReadError> {
        let (told, last) = (self.told.clone(), &mut self.last_told);
        let store = &self.house.store;
        let verified = store.verify_heads_telling(|place| tell(&told, last, AuditPart::Heads, place)).await;
        if let Some(heads) = self.found(AuditPart::Heads, verified)? {
            (self.report.links, self.report.removed) = (heads.links, heads.removed);
        } else {
            self.report.links = self.house.store.last_link().await.ok().flatten().map_or(0, |link| link.place);
        }
        Ok(())
    }

    /// The keys that the daemon's journal names.
    async fn keys(&mut self) -> Result<(), ReadError> {
        let mut at = Seq(0);
        loop {
            let page = match self.house.store.events(JournalId::Daemon, at, usize::MAX).await {
                Ok(page) => page,
                Err(ReadError::Closed) => return Err(ReadError::Closed),
                // The walk through the journals says what is wrong there.
                Err(_) => return Ok(()),
            };
            let Some(last) = page.last() else { return Ok(()) };
            at = last.seq;
            let named = page.iter().filter_map(|record| match Header::from_json(&record.header).ok()?.event {
                Event::AuditKey { key } => Some(key),
                _ => None,
            });
            for key in named {
                if self.report.keys.last() != Some(&key) {
                    self.report.keys.push(key);
                }
            }
        }
    }

    async fn signatures(&mut self) -> Result<(), ReadError> {
        let Ok(state) = self.house.store.state_name().await else { return Ok(()) };
        let mut after = None;
        loop {
            let page = self.house.store.signatures(after, u64::MAX >> 1, PAGE).await;
            let Some(page) = self.found(AuditPart::Signatures, page.map_err(VerifyError::from))? else { return Ok(()) };
            let Some(last) = page.last() else { break };
            after = Some(last.place);
            for signature in &page {
                self.report.signatures += 1;
                let key = PublicKey(signature.key);
                match judge(signature, state, &self.report.keys) {
                    Ok(()) => {
                        let Signature { place, hash, at, state, .. } = *signature;
                        self.report.signed = Some(Signed { link: place, hash, at, state, key });
                    }
                    Err(what) => self.damaged(Damage {
                        part: AuditPart::Signatures,
                        journal: None,
                        seq: None,
                        link: Some(signature.place),
                        what: what.to_owned(),
                    }),
                }
            }
            self.tell(AuditPart::Signatures, self.report.signatures);
        }
        if self.report.signatures == 0 && !self.report.keys.is_empty() {
            let what = "the daemon's journal names a key, and nothing is signed with it".to_owned();
            self.damaged(Damage { part: AuditPart::Signatures, journal: None, seq: None, link: None, what });
        }
        Ok(())
    }

    async fn journals(&mut self) -> Result<(), ReadError> {
        let mut after = 0;
        loop {
            let page = self.house.store.journals(after, PAGE).await;
            let Some(page) = self.found(AuditPart::Journals, page.map_err(VerifyError::from))? else { return Ok(()) };
            let Some(last) = page.last() else { return Ok(()) };
            after = last.row;
            for row in page {
                self.journal(row).await?;
            }
        }
    }

    async fn journal(&mut self, row: JournalRow) -> Result<(), ReadError> {
        let id = match row.name.as_str() {
            "daemon" => JournalId::Daemon,
            name => match name.parse() {
                Ok(session) => JournalId::Session(session),
                Err(_) => {
                    let what = "a journal with this name can be of no session".to_owned();
                    self.damaged(Damage {
                        part: AuditPart::Journals,
                        journal: Some(row.name),
                        seq: None,
                        link: None,
                        what,
                    });
                    return Ok(());
                }
            },
        };
        if let (JournalId::Session(session), true) = (id, row.archived) {
            return self.archived(session).await;
        }
        let store = &self.house.store;
        let (told, last, before) = (self.told.clone(), &mut self.last_told, self.report.events);
        let each_page = |seq: Seq| tell(&told, last, AuditPart::Journals, before + seq.0);
        let mut verified = store.verify_to(id, row.head, each_page).await;
        let mut held = Ok(());
        if verified.is_ok() {
            held = store.verify_holds(id, row.head.seq).await;
        }
        // A session that was removed meanwhile loses its events; the chain of heads says that it was meant.
        if (verified.is_err() || held.is_err()) && store.head(id).await.is_ok_and(|head| head.is_none()) {
            return Ok(());
        }
        // So does what was forgotten meanwhile between two looks; once more, then.
        if verified.is_ok() && held.is_err() {
            held = store.verify_holds(id, row.head.seq).await;
        }
        self.report.journals += 1;
        if let Err(error) = held {
            verified = Err(error);
        }
        if let Some(verified) = self.found(AuditPart::Journals, verified)? {
            self.report.events += verified.events;
            self.report.forgotten += verified.forgotten;
        }
        Ok(())
    }

    /// A session whose events lie in a file: its chain must end with the head that the chain of heads vouches for.
    async fn archived(&mut self, session: SessionId) -> Result<(), ReadError> {
        // One that came back meanwhile, or was removed, is not of this audit any more.
        let Some(archived) = self.house.store.archived(session).await? else { return Ok(()) };
        let verified = archive::verified(self.house, &archived).await;
        if verified.is_err() && self.house.store.archived(session).await? != Some(archived) {
            return Ok(());
        }
        self.report.journals += 1;
        self.report.archived += 1;
        match verified {
            Ok(counted) => {
                self.report.events += counted.events;
                self.report.forgotten += counted.forgotten;
                self.tell(AuditPart::Journals, self.report.events);
            }
            Err(what) => {
                let (part, journal) = (AuditPart::Journals, Some(session.to_string()));
                self.damaged(Damage { part, journal, seq: None, link: None, what });
            }
        }
        Ok(())
    }

    async fn blobs(&mut self) -> Result<(), ReadError> {
        let (told, last) = (self.told.clone(), &mut self.last_told);
        let store = &self.house.store;
        let verified = store.verify_blobs(|blobs| tell(&told, last, AuditPart::Blobs, blobs)).await;
        if let Some(blobs) = self.found(AuditPart::Blobs, verified)? {
            self.report.blobs = blobs;
        }
        Ok(())
    }
}

fn tell(told: &Option<Told>, last: &mut (AuditPart, u64), part: AuditPart, done: u64) {
    if let Some(told) = told
        && (last.0 != part || done >= last.1 + TOLD_EVERY)
    {
        *last = (part, done);
        // One that is slow misses a word.
        let _ = told.try_send(AuditProgress { part, done });
    }
}

/// Whether a signature is right: of this state, over the link that is there, by a key that the journal names.
fn judge(signature: &Signature, state: Option<ChainHash>, keys: &[PublicKey]) -> Result<(), &'static str> {
    if signature.hash == ChainHash::START {
        return Err("the link that was signed is gone: the end of the chain was cut off");
    }
    if state != Some(signature.state) {
        return Err("it was signed for another state");
    }
    if !keys.contains(&PublicKey(signature.key)) {
        return Err("it is signed by a key that the daemon's journal does not name");
    }
    match vouches(signature) {
        true => Ok(()),
        false => Err("the signature is not of the link that is there, or not of this key"),
    }
}

/// Whether a signature is one of its key, over the link that is there.
pub(super) fn vouches(signature: &Signature) -> bool {
    let text = signed_link(signature.state, signature.place, signature.hash, signature.at);
    let of = ed25519_dalek::Signature::from_bytes(&signature.signature);
    VerifyingKey::from_bytes(&signature.key).is_ok_and(|key| key.verify_strict(text.as_bytes(), &of).is_ok())
}
