//! How many checks may wait at once. One more than that is refused before anything is read or asked for it: at once, in band, and always with
//! the same bytes.
//!
//! A check that is answered without waiting, as one of a remembered key is, takes no place. Those that wait, for the store or for the rest of
//! their own request, do; whoever has still not sent his request after twice the time in which any check is answered, gives his place up. Nobody
//! takes one who does not show the secret, where one is asked for.

use std::convert::Infallible;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::CatchUnwind;
use tokio::time::{Sleep, sleep};
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;

use super::envoy_secret::EnvoySecret;
use super::unary::LengthPrefixed;
use super::undecided::Undecided;
use crate::domain::reason::Reason;
use crate::telemetry::metrics::Metrics;

/// The service behind it, with a bound on how many of its calls wait.
#[derive(Clone)]
pub struct Admission<S> {
    service: S,
    bound: Arc<Bound>,
}

#[derive(Clone)]
struct Bound {
    waiting: Arc<AtomicUsize>,
    most: usize,
    /// Admits only the operator's own Envoys.
    secret: Option<EnvoySecret>,
    /// Of one call.
    patience: Duration,
    undecided: Undecided,
    metrics: Arc<Metrics>,
}

impl<S> Admission<S> {
    /// `most` calls may wait at once; `deadline` is the time in which the service answers what it has read.
    pub fn new(service: S, secret: Option<EnvoySecret>, most: usize, deadline: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            service,
            bound: Arc::new(Bound {
                waiting: Arc::default(),
                most,
                secret,
                patience: 2 * deadline,
                undecided: Undecided::encoded(),
                metrics,
            }),
        }
    }
}

impl<S> Admission<S> {
    /// Another service behind the same bound: its calls and these share their places. It has words of its own for what nobody looked at.
    pub(crate) fn beside<T>(&self, service: T, undecided: Undecided) -> Admission<T> {
        Admission { service, bound: Arc::new(Bound { undecided, ..(*self.bound).clone() }) }
    }
}

impl<S: NamedService> NamedService for Admission<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Admission<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Unpin,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let bound = self.bound.clone();
        let call = bound.admits(request.headers()).map(|()| AssertUnwindSafe(self.service.call(request)).catch_unwind());
        Answer { call, bound, place: None }
    }
}

/// What becomes of one call.
pub struct Answer<F> {
    /// Or why it was not begun.
    call: Result<CatchUnwind<AssertUnwindSafe<F>>, Unbegun>,
    bound: Arc<Bound>,
    /// Taken when it has to wait.
    place: Option<Place>,
}

/// Why a call is answered without being looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unbegun {
    /// It does not show the secret.
    Stranger,
    /// As many wait as may.
    Overload,
}

struct Place {
    bound: Arc<Bound>,
    late: Pin<Box<Sleep>>,
}

impl<F: Future<Output = Result<http::Response<Body>, Infallible>> + Unpin> Future for Answer<F> {
    type Output = Result<http::Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let call = match &mut this.call {
            Ok(call) => call,
            Err(Unbegun::Stranger) => return Poll::Ready(Ok(this.bound.strange())),
            Err(Unbegun::Overload) => return Poll::Ready(Ok(this.bound.overloaded())),
        };
        match call.poll_unpin(context) {
            Poll::Ready(Ok(answered)) => Poll::Ready(answered),
            Poll::Ready(Err(_panic)) => Poll::Ready(Ok(this.bound.panicked())),
            Poll::Pending => {
                if this.place.is_none() {
                    this.place = Place::free(&this.bound);
                }
                // another may have taken the last one since this call was begun
                let Some(place) = &mut this.place else { return Poll::Ready(Ok(this.bound.overloaded())) };
                place.late.as_mut().poll(context).map(|()| Ok(this.bound.late()))
            }
        }
    }
}

impl Place {
    /// `None`: all are taken.
    fn free(bound: &Arc<Bound>) -> Option<Self> {
        let more = |waiting| (waiting < bound.most).then_some(waiting + 1);
        bound.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        bound.metrics.waiting().inc();
        Some(Self { bound: bound.clone(), late: Box::pin(sleep(bound.patience)) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.bound.waiting.fetch_sub(1, Ordering::Relaxed);
        self.bound.metrics.waiting().dec();
    }
}

impl Bound {
    fn admits(&self, metadata: &http::HeaderMap) -> Result<(), Unbegun> {
        if self.secret.as_ref().is_some_and(|secret| !secret.admits(metadata)) {
            return Err(Unbegun::Stranger);
        }
        if self.waiting.load(Ordering::Relaxed) >= self.most { Err(Unbegun::Overload) } else { Ok(()) }
    }

    fn strange(&self) -> http::Response<Body> {
        tracing::warn!("a check came without this server's Envoy secret");
        self.refused(Reason::Internal, &self.undecided.internal)
    }

    fn overloaded(&self) -> http::Response<Body> {
        self.metrics.shed("overload");
        self.refused(Reason::Unavailable, &self.undecided.overload)
    }

    fn late(&self) -> http::Response<Body> {
        self.metrics.shed("late");
        self.refused(Reason::Unavailable, &self.undecided.late)
    }

    fn panicked(&self) -> http::Response<Body> {
        self.refused(Reason::Internal, &self.undecided.internal)
    }

    fn refused(&self, reason: Reason, answer: &LengthPrefixed) -> http::Response<Body> {
        self.metrics.decided(&Err(reason.into()));
        answer.clone().into_response()
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
    use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
    use envoy_types::pb::google::protobuf::value::Kind;
    use futures_util::future::{BoxFuture, pending, ready};
    use http_body_util::BodyExt as _;
    use prost::Message as _;

    use super::*;

    /// What a service does with a call.
    #[derive(Clone)]
    struct Does(fn() -> BoxFuture<'static, Result<http::Response<Body>, Infallible>>);

    impl Service<http::Request<Body>> for Does {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = BoxFuture<'static, Result<http::Response<Body>, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            self.0()
        }
    }

    fn bounded(most: usize, does: Does) -> Admission<Does> {
        Admission::new(does, None, most, Duration::from_millis(10), Arc::new(Metrics::default()))
    }

    /// Status, reason and cause of an answer that is whole: a message and a `grpc-status` of 0.
    async fn refused(answer: Result<http::Response<Body>, Infallible>) -> (i32, Vec<String>) {
        let body = answer.unwrap().into_body().collect().await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        let response = CheckResponse::decode(&body.to_bytes()[5..]).unwrap();
        assert_ne!(response.status.unwrap().code, 0, "to Envoy this is an ALLOW");
        let Some(HttpResponse::DeniedResponse(denied)) = response.http_response else { panic!("it is not denied") };
        let Some(Kind::StructValue(ours)) = response.dynamic_metadata.unwrap().fields["keyward"].kind.clone() else {
            panic!("no metadata")
        };
        let text = |name: &str| match ours.fields.get(name)?.kind.clone()? {
            Kind::StringValue(text) => Some(text),
            _ => None,
        };
        (denied.status.unwrap().code, ["reason", "cause"].into_iter().filter_map(text).collect())
    }

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[tokio::test]
    async fn a_call_that_panics_is_refused_in_band() {
        let mut service = bounded(1, Does(|| Box::pin(async { panic!("at the disco") })));
        assert_eq!(refused(service.call(http::Request::default()).await).await, (503, words(&["internal"])));
        assert!(AssertUnwindSafe(service.service.call(http::Request::default())).catch_unwind().await.is_err(), "without it");
    }

    #[tokio::test]
    async fn a_call_that_never_ends_is_refused_after_a_while_and_gives_its_place_up() {
        let mut service = bounded(1, Does(|| Box::pin(pending())));
        for _ in 0..2 {
            assert_eq!(refused(service.call(http::Request::default()).await).await, (503, words(&["unavailable", "late"])));
        }
        assert_eq!(service.bound.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn calls_that_began_at_one_time_take_no_more_places_than_there_are() {
        let mut service = bounded(2, Does(|| Box::pin(pending())));
        let mut calls: Vec<_> = (0..3).map(|_| service.call(http::Request::default())).collect();
        assert!((&mut calls[0]).now_or_never().is_none() && (&mut calls[1]).now_or_never().is_none());
        let third = (&mut calls[2]).now_or_never().unwrap();
        assert_eq!(refused(third).await, (503, words(&["unavailable", "overload"])));
        assert_eq!(refused(service.call(http::Request::default()).await).await, (503, words(&["unavailable", "overload"])));
        calls.clear();
        assert!(service.call(http::Request::default()).now_or_never().is_none(), "places are given back");
    }

    #[tokio::test]
    async fn who_does_not_show_the_secret_takes_no_place_and_with_the_secret_a_call_waits() {
        let secret = EnvoySecret::new(b"of these Envoys alone");
        let mut service = Admission::new(Does(|| Box::pin(pending())), Some(secret), 1, Duration::from_mins(1), Arc::default());
        let shows =
            |secret: &str| http::Request::builder().header("authorization", format!("Bearer {secret}")).body(Body::empty()).unwrap();
        for stranger in [http::Request::default(), shows("of others")] {
            assert_eq!(refused(service.call(stranger).await).await, (503, words(&["internal"])));
        }
        let mut own = service.call(shows("of these Envoys alone"));
        assert!((&mut own).now_or_never().is_none(), "it has the only place");
        assert_eq!(refused(service.call(http::Request::default()).await).await, (503, words(&["internal"])), "and not: overload");
    }

    #[tokio::test]
    async fn a_call_that_does_not_wait_takes_no_place() {
        let mut service = bounded(1, Does(|| Box::pin(ready(Ok(http::Response::default())))));
        let calls: Vec<_> = (0..9).map(|_| service.call(http::Request::default())).collect();
        for mut call in calls {
            assert!((&mut call).now_or_never().is_some());
            assert!(call.place.is_none());
        }
    }
}
