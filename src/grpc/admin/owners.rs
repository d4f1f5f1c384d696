//! `OwnerService`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::super::admin_auth::caller;
use super::asked::{self, Change};
use super::fields::Fields;
use super::mask::Masked as _;
use super::{filters, names, page, shown, update};
use crate::domain::name::RealmId;
use crate::keyring::{Keyring, KeyringError, OwnerFilter};
use crate::proto::keyward::admin::v1::owner_service_server::OwnerService;
use crate::proto::keyward::admin::v1::{
    CreateOwnerRequest, CreateOwnerResponse, DisableOwnerRequest, DisableOwnerResponse, EnableOwnerRequest, EnableOwnerResponse,
    GetOwnerRequest, GetOwnerResponse, ListOwnersRequest, ListOwnersResponse, Owner, UpdateOwnerRequest, UpdateOwnerResponse,
};
use crate::store::Page;

/// The service.
#[derive(Debug)]
pub struct Owners(pub(super) Arc<Keyring>);

#[tonic::async_trait]
impl OwnerService for Owners {
    async fn create_owner(&self, request: Request<CreateOwnerRequest>) -> Result<Response<CreateOwnerResponse>, Status> {
        let caller = caller(&request)?;
        let owner = self.0.create_owner(&caller, &asked::new_owner(request.into_inner())?).await?;
        Ok(Response::new(CreateOwnerResponse { owner: Some(shown::owner(owner)) }))
    }

    async fn get_owner(&self, request: Request<GetOwnerRequest>) -> Result<Response<GetOwnerResponse>, Status> {
        let caller = caller(&request)?;
        let GetOwnerRequest { name, read_mask } = request.into_inner();
        let mut fields = Fields::default();
        let target = fields.take("name", names::owner(&name));
        fields.take("read_mask", Owner::known(read_mask.as_ref()));
        let owner = self.0.owner(&caller, &fields.all(target)?).await?;
        Ok(Response::new(GetOwnerResponse { owner: Some(shown::owner(owner).masked(read_mask.as_ref())) }))
    }

    async fn list_owners(&self, request: Request<ListOwnersRequest>) -> Result<Response<ListOwnersResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let question = asked::question("ListOwners", &ListOwnersRequest { page_size: 0, page_token: String::new(), ..request.clone() });
        let (realm, filter, page) = listed(&request, &question)?;
        let listing = self.0.owners(&caller, &realm, filter, &page).await?;
        let items = listing.items.into_iter().map(|owner| {
            let id = owner.id.to_string();
            (id, shown::owner(owner).masked(request.read_mask.as_ref()))
        });
        let (owners, next) = page::cut(items, listing.next);
        Ok(Response::new(ListOwnersResponse { owners, next_page_token: page::token(next.as_deref(), &question) }))
    }

    async fn update_owner(&self, request: Request<UpdateOwnerRequest>) -> Result<Response<UpdateOwnerResponse>, Status> {
        let caller = caller(&request)?;
        let update = update::owner(request.into_inner())?;
        let changed = self.0.update_owner(&caller, &update.target, &update.fields, &update.terms).await?;
        Ok(Response::new(UpdateOwnerResponse {
            owner: Some(shown::owner(changed.now)),
            position: changed.position.unwrap_or(0),
            guarantee: changed.guarantee.map(shown::guarantee),
        }))
    }

    async fn disable_owner(&self, request: Request<DisableOwnerRequest>) -> Result<Response<DisableOwnerResponse>, Status> {
        let caller = caller(&request)?;
        let DisableOwnerRequest { name, etag, request_id } = request.into_inner();
        let (target, terms) =
            asked::change("DisableOwner", &Change { name: &name, etag: &etag, request_id: &request_id, more: &[] }, names::owner)?;
        let changed = self.0.disable(&caller, &target, &terms).await?;
        Ok(Response::new(DisableOwnerResponse {
            owner: Some(shown::owner(changed.now)),
            position: changed.position.unwrap_or(0),
            guarantee: changed.guarantee.map(shown::guarantee),
        }))
    }

    async fn enable_owner(&self, request: Request<EnableOwnerRequest>) -> Result<Response<EnableOwnerResponse>, Status> {
        let caller = caller(&request)?;
        let EnableOwnerRequest { name, etag, request_id } = request.into_inner();
        let (target, terms) =
            asked::change("EnableOwner", &Change { name: &name, etag: &etag, request_id: &request_id, more: &[] }, names::owner)?;
        let changed = self.0.enable(&caller, &target, &terms).await?;
        Ok(Response::new(EnableOwnerResponse { owner: Some(shown::owner(changed.now)), position: changed.position.unwrap_or(0) }))
    }
}

fn listed(request: &ListOwnersRequest, question: &page::Question) -> Result<(RealmId, OwnerFilter, Page), KeyringError> {
    let mut fields = Fields::default();
    let realm = fields.take("parent", names::realm(&request.parent));
    let filter = filters::owners(&mut fields, request.state);
    let order = filters::order(&mut fields, "name", &request.order_by);
    fields.take("read_mask", Owner::known(request.read_mask.as_ref()));
    let page = page::asked(&mut fields, request.page_size, &request.page_token, question);
    let page = page.zip(order).map(|(page, order)| Page { order, ..page });
    fields.all(realm.zip(filter).zip(page).map(|((realm, filter), page)| (realm, filter, page)))
}
