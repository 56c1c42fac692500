//! Bodies that are longer than what is kept in memory: read and sent in pieces.

use super::{Answer, Client, Patience, answer, read_body};
use crate::error::Error;
use crate::http::{BodyDecoder, Connection};
use crate::request::Request;

/// How much of a body is sent at once, in bytes.
const UPLOAD_BYTES: usize = 64 * 1024;

impl Client {
    /// Sends a request whose answer is longer than what is kept in memory, and hands it on in pieces. An error means that
    /// what was handed on is not whole.
    pub(crate) fn download(
        &mut self,
        request: &Request,
        take: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut connection, head) = self.exchange(request)?;
        if head.status != 200 {
            let mut patience = Patience::new(&self.waiting, self.interrupt.as_ref());
            let body = read_body(&mut connection, &head, &mut patience)?;
            return answer(&head, body).map(drop);
        }
        let (mut decoder, mut piece) = (BodyDecoder::new(head.framing), Vec::new());
        loop {
            piece.clear();
            connection.take_body(&mut decoder, &mut piece)?;
            if !piece.is_empty() {
                take(&piece)?;
            }
            if decoder.is_done() {
                return Ok(());
            }
            Patience::new(&self.waiting, self.interrupt.as_ref()).wait(&connection)?;
            if connection.fill()? == 0 {
                decoder.end()?;
            }
        }
    }

    /// Sends a request with a body that is read in pieces, and gives its answer. `more` fills a buffer and says how much
    /// it has read, 0 at the end; a body of unknown length is sent in chunks.
    pub(crate) fn upload(
        &mut self,
        request: &Request,
        length: Option<u64>,
        more: &mut dyn FnMut(&mut [u8]) -> Result<usize, Error>,
    ) -> Result<Answer, Error> {
        let mut connection = Connection::new(self.connect()?.stream);
        connection.send(&request.before_lines(length))?;
        let mut piece = vec![0; UPLOAD_BYTES];
        loop {
            let read = more(&mut piece)?;
            if length.is_none() {
                connection.send(format!("{read:x}\r\n").as_bytes())?;
            }
            connection.send(&piece[..read])?;
            if length.is_none() {
                connection.send(b"\r\n")?;
            }
            if read == 0 {
                break;
            }
        }
        let head = self.head_on(&mut connection)?;
        self.check_version(&head);
        let mut patience = Patience::new(&self.waiting, self.interrupt.as_ref());
        let body = read_body(&mut connection, &head, &mut patience)?;
        answer(&head, body)
    }
}
