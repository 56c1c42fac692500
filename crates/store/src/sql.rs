//! Between SQLite and us: numbers, hashes, and what its errors mean.

use crate::error::{AppendError, Invalid, ReadError};
use agent::{Micros, Money, Seq};
use rusqlite::ErrorCode;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use wire::{BlobHash, ChainHash};

/// A number as the tables have it. SQLite knows no unsigned ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Int(pub u64);

impl ToSql for Int {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // Every number is checked against `Int::MAX` where it enters, or is a sum that stops there.
        Ok(ToSqlOutput::from(i64::try_from(self.0).unwrap_or(i64::MAX)))
    }
}

impl FromSql for Int {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Int> {
        let number = value.as_i64()?;
        u64::try_from(number).map(Int).map_err(|_| FromSqlError::OutOfRange(number))
    }
}

impl Int {
    /// The largest number that the tables hold.
    pub(crate) const MAX: u64 = i64::MAX as u64;

    /// The number, if the tables hold it.
    pub(crate) fn checked(number: u64, what: &'static str) -> Result<Int, Invalid> {
        if number > Int::MAX { Err(Invalid::Number { what }) } else { Ok(Int(number)) }
    }
}

impl From<Int> for Seq {
    fn from(number: Int) -> Seq {
        Seq(number.0)
    }
}

impl From<Int> for Money {
    fn from(number: Int) -> Money {
        Money(number.0)
    }
}

/// A hash as the tables have it: 32 bytes.
pub(crate) struct Hash(pub [u8; 32]);

impl ToSql for Hash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(&self.0[..]))
    }
}

impl FromSql for Hash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Hash> {
        <[u8; 32]>::column_result(value).map(Hash)
    }
}

impl From<Hash> for ChainHash {
    fn from(hash: Hash) -> ChainHash {
        ChainHash(hash.0)
    }
}

impl From<Hash> for BlobHash {
    fn from(hash: Hash) -> BlobHash {
        BlobHash(hash.0)
    }
}

/// A wall time as the tables have it.
pub(crate) struct Time(pub Micros);

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.0))
    }
}

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Time> {
        value.as_i64().map(|micros| Time(Micros(micros)))
    }
}

/// Why one job of a group was not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// This job alone; its neighbours are not harmed.
    Job(AppendError),
    /// The whole group, which is rolled back.
    Group(GroupFailure),
}

/// Why a whole group was not done.
#[derive(Debug)]
pub(crate) enum GroupFailure {
    /// It surely did not happen.
    Not(AppendError),
    /// Nobody knows, or SQLite can no longer be trusted: open everything anew.
    Unknown(rusqlite::Error),
}

impl From<AppendError> for Refusal {
    fn from(error: AppendError) -> Refusal {
        Refusal::Job(error)
    }
}

impl From<Invalid> for Refusal {
    fn from(error: Invalid) -> Refusal {
        Refusal::Job(AppendError::Invalid(error))
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Refusal {
        match error.sqlite_error_code() {
            Some(ErrorCode::ConstraintViolation) => Invalid::Constraint(error.to_string()).into(),
            _ => Refusal::Group(error.into()),
        }
    }
}

impl From<rusqlite::Error> for GroupFailure {
    /// SQLITE_FULL comes only from writes, never from a sync, so it surely did not happen. All else that fails in a
    /// transaction is unknown.
    fn from(error: rusqlite::Error) -> GroupFailure {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => GroupFailure::Not(AppendError::Full),
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => GroupFailure::Not(AppendError::Locked),
            _ => GroupFailure::Unknown(error),
        }
    }
}

impl From<rusqlite::Error> for ReadError {
    fn from(error: rusqlite::Error) -> ReadError {
        let damaged =
            matches!(
                error,
                rusqlite::Error::FromSqlConversionFailure(..)
                    | rusqlite::Error::IntegralValueOutOfRange(..)
                    | rusqlite::Error::InvalidColumnType(..)
            ) || matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase));
        match damaged {
            true => ReadError::Damaged { what: error.to_string() },
            false => ReadError::Disk { detail: error.to_string() },
        }
    }
}
