//! The ledger of money, kept in the transactions that the money belongs to, so that a limit holds exactly.
//!
//! There is an account for each session and one for each day. What is set aside for an open effect counts as spent
//! until the effect is settled, so that parallel calls cannot pass a limit together.

use crate::append::{Ceiling, JournalId, Reserve, Settle};
use crate::error::{Invalid, ReadError};
use crate::sql::{Int, Refusal};
use agent::{Money, Scope, SessionId};
use rusqlite::{Connection, OptionalExtension};

/// Whose money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Account {
    /// A session's.
    Session(SessionId),
    /// That of a day (UTC) over all sessions, such as `2026-11-23`.
    Day(String),
}

impl Account {
    /// The account's name in its table. Days begin with a digit, sessions with `ses_`.
    pub(crate) fn name(&self) -> String {
        match self {
            Account::Session(session) => session.to_string(),
            Account::Day(day) => day.clone(),
        }
    }
}

/// What an account has spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// Paid for good.
    pub settled: Money,
    /// Set aside for effects that are open.
    pub reserved: Money,
}

impl Spent {
    /// Both together: what limits are held against.
    pub fn total(self) -> Money {
        self.settled + self.reserved
    }
}

/// What `account` has spent.
pub(crate) fn spent(connection: &Connection, account: &str) -> rusqlite::Result<Spent> {
    let spent = connection
        .prepare_cached("SELECT settled, reserved FROM accounts WHERE name = ?")?
        .query_row([account], |row| {
            Ok(Spent { settled: row.get::<_, Int>(0)?.into(), reserved: row.get::<_, Int>(1)?.into() })
        })
        .optional()?;
    Ok(spent.unwrap_or_default())
}

/// Which limit `reserve` would pass, if any.
pub(crate) fn refusal<'a>(
    connection: &Connection,
    journal: JournalId,
    reserve: &'a Reserve,
) -> rusqlite::Result<Option<(Scope, &'a Ceiling)>> {
    let accounts =
        [(Scope::Session, journal.to_string(), &reserve.session), (Scope::Day, reserve.day.clone(), &reserve.per_day)];
    for (scope, account, ceiling) in accounts {
        if let Some(ceiling) = ceiling
            && spent(connection, &account)?.total() + reserve.amount > ceiling.limit
        {
            return Ok(Some((scope, ceiling)));
        }
    }
    Ok(None)
}

/// Sets the money aside.
pub(crate) fn reserve(
    connection: &Connection,
    (journal, row): (JournalId, i64),
    reserve: &Reserve,
) -> Result<(), Refusal> {
    let amount = Int::checked(reserve.amount.0, "the money to set aside")?;
    let effect = reserve.effect.to_string();
    let inserted = connection
        .prepare_cached("INSERT OR IGNORE INTO reservations (journal, effect, day, amount) VALUES (?, ?, ?, ?)")?
        .execute((row, effect, &reserve.day, amount))?;
    if inserted == 0 {
        return Err(Invalid::StartedBefore { effect: reserve.effect }.into());
    }
    for account in [journal.to_string(), reserve.day.clone()] {
        change(connection, &account, |spent| Spent { reserved: spent.reserved + reserve.amount, ..spent })?;
    }
    Ok(())
}

/// Releases what was set aside for an effect and books what it cost.
pub(crate) fn settle(
    connection: &Connection,
    (journal, row): (JournalId, i64),
    settle: &Settle,
) -> Result<(), Refusal> {
    Int::checked(settle.cost.0, "the cost")?;
    let open: Option<(String, Int)> = connection
        .prepare_cached("DELETE FROM reservations WHERE journal = ? AND effect = ? RETURNING day, amount")?
        .query_row((row, settle.effect.to_string()), |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((day, Int(amount))) = open else { return Ok(()) };
    for account in [journal.to_string(), day] {
        change(connection, &account, |spent| Spent {
            settled: spent.settled + settle.cost,
            reserved: Money(spent.reserved.0.saturating_sub(amount)),
        })?;
    }
    Ok(())
}

/// Closes a session's account. What is still set aside for it counts as spent on its day: whether the effects cost
/// anything is no longer known, and money is never settled at zero for that.
pub(crate) fn close(connection: &Connection, (journal, row): (JournalId, i64)) -> rusqlite::Result<()> {
    let open: Vec<(String, Int)> = connection
        .prepare_cached("DELETE FROM reservations WHERE journal = ? RETURNING day, amount")?
        .query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    for (day, Int(amount)) in open {
        change(connection, &day, |spent| Spent {
            settled: spent.settled + Money(amount),
            reserved: Money(spent.reserved.0.saturating_sub(amount)),
        })?;
    }
    connection.prepare_cached("DELETE FROM accounts WHERE name = ?")?.execute([journal.to_string()])?;
    Ok(())
}

/// Takes over what an account had settled elsewhere.
pub(crate) fn carry_over(connection: &Connection, account: &Account, settled: Money) -> rusqlite::Result<()> {
    change(connection, &account.name(), |spent| Spent { settled: spent.settled + settled, ..spent })
}

/// Sums are made here and not in SQL, where a sum too large silently becomes a floating-point number; they stop at the
/// largest number that the table holds.
fn change(connection: &Connection, account: &str, change: impl Fn(Spent) -> Spent) -> rusqlite::Result<()> {
    let spent = change(spent(connection, account)?);
    connection
        .prepare_cached("INSERT OR REPLACE INTO accounts (name, settled, reserved) VALUES (?, ?, ?)")?
        .execute((account, Int(spent.settled.0), Int(spent.reserved.0)))?;
    Ok(())
}

/// For [`Store::spent`](crate::Store::spent).
pub(crate) fn read(connection: &Connection, account: &Account) -> Result<Spent, ReadError> {
    Ok(spent(connection, &account.name())?)
}
