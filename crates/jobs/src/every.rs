//! When a schedule falls due: `15m`, or five fields of cron, in UTC.

use std::{cmp::Ordering, fmt, str::FromStr, time::Duration};

use croner::{
    Cron,
    errors::CronError,
    time::{CivilDateTime, CronDateTime, Resolution, Weekday},
};
use mainspring_kernel::{Timestamp, text};

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);
const UNITS: [(char, u64); 4] = [('s', 1), ('m', 60), ('h', 3600), ('d', 24 * 3600)];

#[derive(Debug, Clone)]
pub enum Every {
    Interval(Duration),
    Cron(Box<Cron>),
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EveryFault {
    #[error("`{given}` is not a schedule: write an interval such as `15m` or five fields of cron such as `0 6 * * 1`")]
    Shape { given: String },
    #[error("`{given}` is shorter than a second or longer than a year")]
    Interval { given: String },
    #[error("`{given}` is not cron: {reason}")]
    Cron { given: String, reason: String },
    #[error("`{given}` never happens")]
    Never { given: String },
}

impl Every {
    /// The first moment after `after`. A schedule that was read has one.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Interval(interval) => Some(after.plus(*interval)),
            Self::Cron(cron) => cron.find_next_occurrence(&Utc::at(after)?, false).ok()?.timestamp(),
        }
    }
}

impl PartialEq for Every {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval(interval) => {
                let seconds = interval.as_secs();
                let largest = UNITS.iter().rev().find(|(_, size)| seconds.is_multiple_of(*size));
                let (unit, size) = largest.copied().unwrap_or(('s', 1));
                write!(f, "{}{unit}", seconds / size)
            }
            Self::Cron(cron) => f.write_str(cron.as_str()),
        }
    }
}

impl FromStr for Every {
    type Err = EveryFault;

    fn from_str(given: &str) -> Result<Self, EveryFault> {
        let shown = || text::elide(given, 80);
        // The cron library also reads nicknames and, told to, seconds and years: one way is enough.
        if given.len() <= 200 && given.split_ascii_whitespace().count() == 5 {
            let cron = given
                .parse::<Cron>()
                .map_err(|source| EveryFault::Cron { given: shown(), reason: text::elide(&source.to_string(), 200) })?;
            let every = Self::Cron(Box::new(cron));
            // Found at once or never: a calendar repeats.
            let start = Timestamp::from_micros(1_700_000_000_000_000);
            return every.next(start).map(|_| every).ok_or_else(|| EveryFault::Never { given: shown() });
        }
        let unit = given.chars().last().and_then(|last| UNITS.iter().find(|(unit, _)| *unit == last));
        let Some((unit, size)) = unit else {
            return Err(EveryFault::Shape { given: shown() });
        };
        let number = given.strip_suffix(*unit).and_then(|digits| digits.parse::<u64>().ok());
        let seconds = number.ok_or_else(|| EveryFault::Shape { given: shown() })?.saturating_mul(*size);
        let interval = Duration::from_secs(seconds);
        if interval < SHORTEST || interval > LONGEST {
            return Err(EveryFault::Interval { given: shown() });
        }
        Ok(Self::Interval(interval))
    }
}

impl serde::Serialize for Every {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A moment in UTC as the cron library asks about it: no time happens twice or not at all.
#[derive(Debug, Clone)]
struct Utc {
    moment: jiff::civil::DateTime,
    civil: CivilDateTime,
}

impl Utc {
    fn at(moment: Timestamp) -> Option<Self> {
        let stamp = jiff::Timestamp::from_microsecond(moment.as_micros()).ok()?;
        Self::of(jiff::tz::Offset::UTC.to_datetime(stamp))
    }

    fn of(moment: jiff::civil::DateTime) -> Option<Self> {
        let part = |part: i8| u32::try_from(part).unwrap_or(u32::MAX);
        let civil = CivilDateTime::from_ymd_hms_opt(
            moment.year().into(),
            part(moment.month()),
            part(moment.day()),
            part(moment.hour()),
            part(moment.minute()),
            part(moment.second()),
        )?;
        Some(Self { moment, civil })
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let stamp = jiff::tz::Offset::UTC.to_timestamp(self.moment).ok()?;
        Some(Timestamp::from_micros(stamp.as_microsecond()))
    }
}

impl CronDateTime for Utc {
    fn to_civil(&self) -> CivilDateTime {
        self.civil
    }

    fn civil_weekday(&self) -> Weekday {
        let days = self.moment.weekday().to_sunday_zero_offset();
        Weekday::Sunday.shift(days.into())
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let small = |part: u32| i8::try_from(part).map_err(|_| CronError::InvalidTime);
        let year = i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?;
        let moment = jiff::civil::DateTime::new(
            year,
            small(civil.month())?,
            small(civil.day())?,
            small(civil.hour())?,
            small(civil.minute())?,
            small(civil.second())?,
            0,
        );
        moment.map(|moment| Resolution::Single(Self { moment, civil })).map_err(|_| CronError::InvalidDate)
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        Self::of(self.moment.checked_add(jiff::SignedDuration::from_secs(seconds)).ok()?)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.moment.cmp(&other.moment)
    }
}
