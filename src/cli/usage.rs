//! `keyward keys usage` and `keyward owners usage`.

use clap::Args;
use jiff::{SignedDuration, Timestamp};

use super::client::ClientArgs;
use super::failure::Failure;
use super::output::{Name, Output};
use super::update;
use super::view::Used;
use crate::proto::keyward::admin::v1::{GetUsageRequest, Granularity};

/// Whose usage, and of how long.
#[derive(Debug, Args)]
pub(super) struct Usage {
    #[command(flatten)]
    name: Name,
    /// By the minute, for the last so many; the default, with 120.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=120), conflicts_with = "days")]
    minutes: Option<i64>,
    /// By the day (UTC), for the last so many.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=366))]
    days: Option<i64>,
}

impl Usage {
    /// `collection`: `keys` or `owners`.
    pub(super) async fn run(self, collection: &str, client: &ClientArgs, output: Output) -> Result<(), Failure> {
        let request = self.request(collection, Timestamp::now())?;
        let response = client.usage().await?.get_usage(request).await.map_err(client.failed())?;
        output.print(&Used::from(response.into_inner()))
    }

    /// The server says what is now; this machine's clock, which says since when, need only be near it.
    fn request(self, collection: &str, now: Timestamp) -> Result<GetUsageRequest, Failure> {
        let (granularity, back) = match (self.days, self.minutes) {
            (Some(days), _) => (Granularity::Day, Some(SignedDuration::from_hours(24 * (days - 1)))),
            (None, minutes) => (Granularity::Minute, minutes.map(|minutes| SignedDuration::from_mins(minutes - 1))),
        };
        let start_time = back.and_then(|back| now.checked_sub(back).ok()).map(update::instant);
        Ok(GetUsageRequest { name: self.name.full(collection)?, granularity: granularity.into(), start_time, end_time: None })
    }
}
