//! Places for lines under way, shared out among projects: whoever has fewest gets the next.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainspring_kernel::id::ProjectId;
use tokio::sync::oneshot;

/// Clones share the places.
#[derive(Debug, Clone)]
pub(crate) struct Places(Arc<Mutex<Shared>>);

#[derive(Debug)]
struct Shared {
    /// Above nothing only while nobody waits.
    free: usize,
    held: HashMap<ProjectId, usize>,
    /// Projects in the order in which they were last served, each with its lines in theirs.
    waiting: VecDeque<(ProjectId, VecDeque<oneshot::Sender<Place>>)>,
}

/// The right to ask a line; it goes on to the next when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    project: ProjectId,
}

impl Places {
    pub(crate) fn new(places: usize) -> Self {
        Self(Arc::new(Mutex::new(Shared { free: places.max(1), held: HashMap::new(), waiting: VecDeque::new() })))
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn take(&self, project: ProjectId) -> Place {
        loop {
            let (sender, granted) = oneshot::channel();
            {
                let mut shared = self.lock();
                if shared.free > 0 {
                    shared.free -= 1;
                    *shared.held.entry(project).or_default() += 1;
                    return Place { places: self.clone(), project };
                }
                shared.line_up(project, sender);
            }
            if let Ok(place) = granted.await {
                return place;
            }
        }
    }
}

impl Shared {
    fn line_up(&mut self, project: ProjectId, sender: oneshot::Sender<Place>) {
        match self.waiting.iter_mut().find(|(whose, _)| *whose == project) {
            Some((_, line)) => line.push_back(sender),
            None => self.waiting.push_back((project, VecDeque::from([sender]))),
        }
    }

    /// Whose turn it is: of those that have fewest places, the one that was served longest ago.
    fn next(&mut self) -> Option<(ProjectId, oneshot::Sender<Place>)> {
        let held = |project| self.held.get(project).copied().unwrap_or(0);
        let (at, _) = self.waiting.iter().enumerate().min_by_key(|(at, (project, _))| (held(project), *at))?;
        let (project, mut line) = self.waiting.remove(at)?;
        let sender = line.pop_front()?;
        if !line.is_empty() {
            self.waiting.push_back((project, line));
        }
        *self.held.entry(project).or_default() += 1;
        Some((project, sender))
    }

    fn give_back(&mut self, project: ProjectId) {
        if let Some(held) = self.held.get_mut(&project) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&project);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let next = {
            let mut shared = self.places.lock();
            shared.give_back(self.project);
            let next = shared.next();
            if next.is_none() {
                shared.free += 1;
            }
            next
        };
        if let Some((project, sender)) = next {
            // Whoever has gone meanwhile lets go of it at once, and so it comes to the next.
            drop(sender.send(Self { places: self.places.clone(), project }));
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
    use mainspring_kernel::id::ProjectId;

    use super::{Place, Places};

    fn project(number: u128) -> ProjectId {
        ProjectId::from_raw(number)
    }

    fn waiting(places: &Places, of: u128) -> BoxFuture<'static, (u128, Place)> {
        let places = places.clone();
        let mut taking = async move { (of, places.take(project(of)).await) }.boxed();
        assert!((&mut taking).now_or_never().is_none(), "there was a place");
        taking
    }

    #[tokio::test]
    async fn places_go_to_the_project_that_has_fewest_and_then_in_turn() {
        let places = Places::new(3);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(places.take(project(1)).await);
        }
        let mut lines: FuturesUnordered<_> = [1, 1, 1, 2, 3, 2].map(|of| waiting(&places, of)).into_iter().collect();
        let mut order = Vec::new();
        let mut kept = Vec::new();
        for _ in 0..3 {
            drop(held.pop());
            let (of, place) = lines.next().await.unwrap();
            order.push(of);
            kept.push(place);
        }
        assert_eq!(order, [2, 3, 1], "whoever has none goes first, and whoever had all comes last");
        kept.clear();
        while let Some((of, place)) = lines.next().await {
            order.push(of);
            drop(place);
        }
        assert_eq!(order.len(), 6, "everybody gets one in the end");
        assert_eq!(places.lock().free, 3);
        assert!(places.lock().held.is_empty() && places.lock().waiting.is_empty());
    }

    #[tokio::test]
    async fn with_one_place_projects_alternate() {
        let places = Places::new(1);
        let held = places.take(project(9)).await;
        let mut lines: FuturesUnordered<_> = [1, 1, 1, 2, 2, 2].map(|of| waiting(&places, of)).into_iter().collect();
        drop(held);
        let mut order = Vec::new();
        while let Some((of, place)) = lines.next().await {
            order.push(of);
            drop(place);
        }
        assert_eq!(order, [1, 2, 1, 2, 1, 2]);
    }

    #[tokio::test]
    async fn a_line_that_has_gone_keeps_nobody_from_a_place() {
        let places = Places::new(1);
        let held = places.take(project(1)).await;
        let (gone, stays) = (waiting(&places, 2), waiting(&places, 3));
        drop(gone);
        drop(held);
        let (of, _place) = stays.await;
        assert_eq!(of, 3);
    }
}
