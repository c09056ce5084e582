//! Amounts of a resource as Kubernetes writes them: `250m`, `1.5`, `64Mi`.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Mul, Sub};
use std::str::FromStr;

/// Suffixes that multiply by more than one, with the factor.
const FACTORS: [(&str, i128); 13] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("Ei", 1 << 60),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("E", 1_000_000_000_000_000_000),
    ("", 1),
];
/// Suffixes that divide, with the divisor.
const DIVISORS: [(&str, i128); 3] = [("m", 1_000), ("u", 1_000_000), ("n", 1_000_000_000)];
/// The most digits on either side of the point: more than any resource has, and far from an overflow.
const DIGITS: usize = 15;

/// An amount of a resource, in thousandths. Less than a thousandth counts as one, as for the API server.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Quantity(i128);

/// What is no quantity.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is no quantity; write it like 250m, 2 or 64Mi")]
pub struct InvalidQuantity(String);

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many whole ones.
    pub const fn whole(count: i64) -> Self {
        Self(count as i128 * 1_000)
    }

    /// So many thousandths.
    pub const fn milli(count: i64) -> Self {
        Self(count as i128)
    }

    /// So many times 2^20.
    pub const fn mebi(count: i64) -> Self {
        Self((count as i128 * 1_000) << 20)
    }

    /// The largest multiple of `step` that is not more than this.
    pub fn in_steps_of(self, step: Self) -> Self {
        Self(self.0 - self.0.checked_rem_euclid(step.0).unwrap_or_default())
    }

    /// One of `parts` equal parts, rounded down to what can be written. Nothing where there are no parts.
    pub fn share(self, parts: i64) -> Self {
        Self(self.0.checked_div(i128::from(parts)).unwrap_or_default())
    }
}

impl FromStr for Quantity {
    type Err = InvalidQuantity;

    fn from_str(text: &str) -> Result<Self, InvalidQuantity> {
        let invalid = || InvalidQuantity(text.to_owned());
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty()) || whole.len() > DIGITS || fraction.len() > DIGITS {
            return Err(invalid());
        }
        let scale = 10_i128.pow(u32::try_from(fraction.len()).map_err(|_| invalid())?);
        let digits: i128 = format!("0{whole}{fraction}").parse().map_err(|_| invalid())?;
        let (factor, divisor) = unit(suffix).ok_or_else(invalid)?;
        let scaled = digits.checked_mul(factor * 1_000).ok_or_else(invalid)?;
        let per = scale * divisor;
        Ok(Self(scaled / per + i128::from(scaled % per > 0)))
    }
}

/// Factor and divisor of a suffix. Exponents (`1e3`) are taken too.
fn unit(suffix: &str) -> Option<(i128, i128)> {
    let factor = FACTORS.iter().find(|(name, _)| *name == suffix).map(|(_, factor)| (*factor, 1));
    let divisor = || DIVISORS.iter().find(|(name, _)| *name == suffix).map(|(_, divisor)| (1, *divisor));
    let exponent = || suffix.strip_prefix(['e', 'E'])?.parse::<u32>().ok().filter(|e| *e <= 18).map(|e| (10_i128.pow(e), 1));
    factor.or_else(divisor).or_else(exponent)
}

impl fmt::Display for Quantity {
    /// In the largest unit that it is a whole number of.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 % 1_000 != 0 {
            return write!(f, "{}m", self.0);
        }
        let whole = self.0 / 1_000;
        let fits = |power: i128| whole != 0 && whole % power == 0;
        match whole {
            _ if fits(1 << 30) => write!(f, "{}Gi", whole >> 30),
            _ if fits(1 << 20) => write!(f, "{}Mi", whole >> 20),
            _ if fits(1 << 10) => write!(f, "{}Ki", whole >> 10),
            _ => write!(f, "{whole}"),
        }
    }
}

impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Mul<i64> for Quantity {
    type Output = Self;
    fn mul(self, times: i64) -> Self {
        Self(self.0.saturating_mul(i128::from(times)))
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Quantity {
        text.parse().unwrap()
    }

    #[test]
    fn quantities_are_read_as_the_api_server_reads_them() {
        for (text, same) in [
            ("1", "1000m"),
            ("0.5", "500m"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("64Mi", "67108864"),
            ("1n", "1m"),
            (".5", "500m"),
            ("1500u", "2m"),
            ("2.", "2"),
        ] {
            assert_eq!(read(text), read(same), "{text}");
        }
        assert!(read("1G") < read("1Gi"));
    }

    #[test]
    fn what_is_no_quantity_is_said() {
        for text in ["", "m", ".", "-1", "1 Gi", "1GB", "1.2.3", "1e99", "1234567890123456789", "Mi"] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn they_are_written_in_the_largest_whole_unit() {
        for (text, written) in [("1024Mi", "1Gi"), ("1500m", "1500m"), ("2000m", "2"), ("0", "0"), ("1536", "1536"), ("3072Ki", "3Mi")] {
            assert_eq!(read(text).to_string(), written);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(milli in 0_i64..=i64::MAX / 4) {
            let quantity = Quantity::milli(milli);
            prop_assert!(quantity.to_string().parse::<Quantity>().is_ok_and(|read| read == quantity) || milli > 999_999_999_999_999);
        }

        #[test]
        fn nothing_panics(text in "[0-9.]{0,20}[a-zA-Z0-9]{0,4}") {
            let _ = text.parse::<Quantity>();
        }
    }
}
