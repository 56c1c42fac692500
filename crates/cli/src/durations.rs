//! Lengths of time as people type them: `30m`, `1d12h`.

/// Whole seconds.
pub(crate) fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no duration; write it as 90s, 30m, 2h, 1d or 1d12h");
    let (mut sum, mut digits) = (0_u64, String::new());
    for letter in text.trim().chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => return Err(wrong()),
        };
        let count: u64 = std::mem::take(&mut digits).parse().map_err(|_| wrong())?;
        sum = count.checked_mul(unit).and_then(|part| sum.checked_add(part)).ok_or_else(wrong)?;
    }
    if digits.is_empty() && sum > 0 { Ok(sum) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn every_number_has_its_unit() {
        assert_eq!(["90s", "30m", "1d12h", "2w"].map(|text| seconds(text).unwrap()), [90, 1_800, 129_600, 1_209_600]);
        for wrong in ["", "30", "m", "0s", "1h30", "-1h", "1.5h", "99999999999999999w", "1 h"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
