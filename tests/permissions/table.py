"""Who may ask what: a row for each route and method. test_routes.py asks them all.

A cell is the status of the answer. "+" behind it: the request changes something; every other cell
changes nothing at all. "login": sent to the login page. No answer may name an organization that
does not exist for whoever asks. A heading in brackets is what the routes below it begin with, and
"." is nothing more than that.
"""

# Sessions of staff. Everyone else, and every token, is sent to the login page.
ADMIN = """
#                                                    viewer operator owner outsider superuser
[admin/]
GET      .                                           200  200  200  200  200
POST     .                                           405  405  405  405  405
GET      search/                                     302  302  302  302  302
POST     search/                                     405  405  405  405  405
GET      connections/                                200  200  200  200  200
POST     connections/                                405  405  405  405  405
GET,POST password_change/                            200  200  200  200  200
GET      password_change/done/                       200  200  200  200  200
POST     password_change/done/                       405  405  405  405  405
GET,POST second-factor/                              200  200  200  200  200
# None of them has one.
GET,POST second-factor/codes/                        302  302  302  302  302
GET,POST second-factor/remove/                       302  302  302  302  302
GET,POST autocomplete/                               404  404  404  404  404
GET      jsi18n/                                     200  200  200  200  200
POST     jsi18n/                                     405  405  405  405  405
GET,POST r/<path:content_type_id>/<path:object_id>/  404  404  404  404  404
[admin/organizations/auditentry/]
GET,POST .                                           403  403  200  200  200
GET,POST add/                                        403  403  403  403  403
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET,POST <path:object_id>/change/                    404  404  404  404  404
GET,POST <path:object_id>/                           302  302  302  302  302
[admin/organizations/membership/]
GET      <int:membership_id>/remove/                 404  404  200  404  200
POST     <int:membership_id>/remove/                 404  404  302+ 404  302+
GET,POST .                                           403  403  200  200  200
GET      add/                                        403  403  403  403  200
POST     add/                                        403  403  403  403  302+
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET      <path:object_id>/change/                    404  404  200  404  200
POST     <path:object_id>/change/                    404  404  302+ 404  302+
GET,POST <path:object_id>/                           302  302  302  302  302
# It is the superuser who is invited; the others are answered as if it had ended.
[admin/organizations/invitation/]
GET      <uuid:invitation_id>/withdraw/              404  404  200  404  200
POST     <uuid:invitation_id>/withdraw/              404  404  302+ 404  302+
GET      received/                                   200  200  200  200  200
POST     received/                                   405  405  405  405  405
GET      received/<uuid:invitation_id>/accept/       405  405  405  405  405
POST     received/<uuid:invitation_id>/accept/       302  302  302  302  302+
GET      received/<uuid:invitation_id>/decline/      405  405  405  405  405
POST     received/<uuid:invitation_id>/decline/      302  302  302  302  302+
GET,POST .                                           403  403  200  200  200
GET      add/                                        403  403  200  200  403
POST     add/                                        403  403  302+ 200  403
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET,POST <path:object_id>/change/                    404  404  404  404  404
GET,POST <path:object_id>/                           302  302  302  302  302
[admin/organizations/organization/]
GET      <int:organization_id>/deactivate/           403  403  403  404  200
POST     <int:organization_id>/deactivate/           403  403  403  404  302+
GET      <int:organization_id>/reactivate/           403  403  403  404  200
POST     <int:organization_id>/reactivate/           403  403  403  404  302
GET      .                                           200  200  200  200  200
# Operators have another action, so Django tells them that this one is not there.
POST     .                                           200  302  302  302  302+
GET      add/                                        403  403  403  403  200
POST     add/                                        403  403  403  403  302+
GET,POST <path:object_id>/history/                   403  403  302  404  302
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET      <path:object_id>/change/                    200  200  200  404  200
POST     <path:object_id>/change/                    403  403  302+ 404  302+
GET,POST <path:object_id>/                           302  302  302  302  302
GET      <int:organization_id>/security/             403  403  200  404  200
POST     <int:organization_id>/security/             405  405  405  405  405
GET      <int:organization_id>/security/<int:user_id>/revoke/  403  403  200  404  200
POST     <int:organization_id>/security/<int:user_id>/revoke/  403  403  302+ 404  302+
GET      <int:organization_id>/proxy/                403  200  200  404  200
POST     <int:organization_id>/proxy/                403  403  302+ 404  302+
# There is none to try or to remove.
GET      <int:organization_id>/proxy/try/            405  405  405  405  405
POST     <int:organization_id>/proxy/try/            403  302  302  404  302
GET,POST <int:organization_id>/proxy/remove/         403  403  302  404  302
[admin/organizations/apitoken/]
GET      <uuid:number>/revoke/                       404  404  200  404  200
POST     <uuid:number>/revoke/                       404  404  302+ 404  302+
GET      .                                           200  200  200  200  200
POST     .                                           200  200  302+ 200  302+
GET      add/                                        200  200  200  200  200
POST     add/                                        200  200  200+ 200  200+
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET,POST <path:object_id>/change/                    404  404  404  404  404
GET,POST <path:object_id>/                           302  302  302  302  302
[admin/auth/user/]
GET      <id>/password/                              403  403  403  403  200
POST     <id>/password/                              403  403  403  403  302+
GET      <int:user_id>/second-factor/                403  403  403  403  200
POST     <int:user_id>/second-factor/                403  403  403  403  302+
GET,POST .                                           403  403  403  403  200
GET      add/                                        403  403  403  403  200
POST     add/                                        403  403  403  403  302+
GET,POST <path:object_id>/history/                   403  403  403  403  200
GET      <path:object_id>/delete/                    403  403  403  403  200
POST     <path:object_id>/delete/                    403  403  403  403  302+
GET      <path:object_id>/change/                    403  403  403  403  200
POST     <path:object_id>/change/                    403  403  403  403  302+
GET,POST <path:object_id>/                           302  302  302  302  302
[admin/colleagues/]
GET      .                                           403  403  403  403  200
POST     .                                           403  403  403  403  200+
GET      <int:colleague_id>/again/                   403  403  403  403  405
POST     <int:colleague_id>/again/                   403  403  403  403  200+
GET      <int:colleague_id>/revoke/                  403  403  403  403  405
POST     <int:colleague_id>/revoke/                  403  403  403  403  302+
[admin/connections/connection/]
GET      <int:organization_id>/reconnect/            405  405  405  405  405
POST     <int:organization_id>/reconnect/            403  302  302  404  302
GET      <int:organization_id>/phone/                405  405  405  405  405
POST     <int:organization_id>/phone/                403  302+ 302+ 404  302+
GET      <int:organization_id>/cancel/               405  405  405  405  405
POST     <int:organization_id>/cancel/               403  302+ 302+ 404  302+
GET      <int:organization_id>/self-test/            405  405  405  405  405
POST     <int:organization_id>/self-test/            403  302  302  404  302
GET      <int:organization_id>/expected-number/      405  405  405  405  405
POST     <int:organization_id>/expected-number/      403  403  302+ 404  302+
GET      <int:organization_id>/timeline/             200  200  200  404  200
POST     <int:organization_id>/timeline/             405  405  405  405  405
GET      <int:organization_id>/disconnect/           403  200  200  404  200
POST     <int:organization_id>/disconnect/           403  302+ 302+ 404  302+
GET      <int:organization_id>/scan/                 405  405  405  405  405
POST     <int:organization_id>/scan/                 403  302  302  404  302
GET      bulk/                                       405  405  405  405  405
POST     bulk/                                       200  302+ 302+ 200  302+
GET      bulk/<int:run_id>/                          404  200  404  404  200
POST     bulk/<int:run_id>/                          405  405  405  405  405
GET      bulk/<int:run_id>/progress/                 404  200  404  404  200
POST     bulk/<int:run_id>/progress/                 405  405  405  405  405
GET      bulk/<int:run_id>/stop/                     405  405  405  405  405
POST     bulk/<int:run_id>/stop/                     404  302+ 404  404  302+
GET      queue/                                      200  200  200  200  200
# A code is being shown already.
POST     queue/                                      302  302  302  302  302
GET      queue/<int:organization_id>/                403  200  200  404  200
POST     queue/<int:organization_id>/                405  405  405  405  405
GET      owner-links/                                200  200  200  200  200
POST     owner-links/                                200  200+ 200+ 200  200+
GET,POST .                                           200  200  200  200  200
GET,POST add/                                        403  403  403  403  403
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET      <path:object_id>/change/                    200  200  200  404  200
POST     <path:object_id>/change/                    405  405  405  405  405
GET,POST <path:object_id>/                           302  302  302  302  302
GET      <int:organization_id>/owner-link/           403  200  200  404  200
POST     <int:organization_id>/owner-link/           403  200+ 200+ 404  200+
GET      <int:organization_id>/owner-link/revoke/    405  405  405  405  405
POST     <int:organization_id>/owner-link/revoke/    403  302  302  404  302
# Operators here read no messages; see messaging/tests/admin/test_message_rights.py.
GET      <int:organization_id>/messages/             200  200  200  404  200
POST     <int:organization_id>/messages/             405  405  405  405  405
GET      <int:organization_id>/messages/send/        405  405  405  405  405
POST     <int:organization_id>/messages/send/        403  403  302+ 404  302+
GET      <int:organization_id>/messages/open/        405  405  405  405  405
POST     <int:organization_id>/messages/open/        403  403  403  404  302+
# The simulated customer needs a linked phone to write to.
GET      <int:organization_id>/messages/customer/    403  403  200  404  200
POST     <int:organization_id>/messages/customer/    403  403  302  404  302
GET      <int:organization_id>/messages/send-held/   403  403  200  404  200
POST     <int:organization_id>/messages/send-held/   403  403  302+ 404  302+
GET      <int:organization_id>/messages/drop-held/   403  403  200  404  200
POST     <int:organization_id>/messages/drop-held/   403  403  302+ 404  302+
GET      <int:organization_id>/messages/discard-waiting/ 403  403  200  404  200
POST     <int:organization_id>/messages/discard-waiting/ 403  403  302+ 404  302+
GET      <int:organization_id>/messages/<public_id:message_id>/ 200  200  200  404  200
POST     <int:organization_id>/messages/<public_id:message_id>/ 405  405  405  405  405
# This one has no file.
GET      <int:organization_id>/messages/<public_id:message_id>/file/    403  403  404  404  403
POST     <int:organization_id>/messages/<public_id:message_id>/file/    405  405  405  405  405
GET      <int:organization_id>/messages/<public_id:message_id>/again/   405  405  405  405  405
POST     <int:organization_id>/messages/<public_id:message_id>/again/   403  403  302+ 404  302+
GET      <int:organization_id>/messages/<public_id:message_id>/discard/ 405  405  405  405  405
POST     <int:organization_id>/messages/<public_id:message_id>/discard/ 403  403  302+ 404  302+
GET      <int:organization_id>/settings/             200  200  200  404  200
POST     <int:organization_id>/settings/             403  403  302+ 404  302+
GET      <int:organization_id>/settings/sending/     405  405  405  405  405
POST     <int:organization_id>/settings/sending/     403  403  302+ 404  302+
GET      <int:organization_id>/settings/erase/       403  403  200  404  403
POST     <int:organization_id>/settings/erase/       403  403  302+ 404  403
GET      <int:organization_id>/settings/export/      405  405  405  405  405
POST     <int:organization_id>/settings/export/      403  403  200+ 404  403
GET      <int:organization_id>/settings/remove/      403  403  403  404  200
POST     <int:organization_id>/settings/remove/      403  403  403  404  302+
GET      <int:organization_id>/settings/archive/     405  405  405  405  405
POST     <int:organization_id>/settings/archive/     403  403  200+ 404  200+
GET      <int:organization_id>/settings/retention/   200  200  200  404  200
POST     <int:organization_id>/settings/retention/   403  403  302+ 404  302+
GET      <int:organization_id>/settings/person/      405  405  405  405  405
POST     <int:organization_id>/settings/person/      403  403  302  404  403
GET      <int:organization_id>/settings/person/<int:contact_id>/ 403  403  200  404  403
POST     <int:organization_id>/settings/person/<int:contact_id>/ 403  403  302+ 404  403
# Administrators of the service manage webhooks, but own only those of all organizations. And there
# is no simulator to catch anything.
[admin/connections/connection/<int:organization_id>/webhooks/]
GET      .                                                                  200  200  200  404  200
POST     .                                                                  405  405  405  405  405
GET      add/                                                               403  403  200  404  403
POST     add/                                                               403  403  200+ 404  403
GET      catch/                                                             405  405  405  405  405
POST     catch/                                                             403  403  302  404  302
GET      catch/answer/                                                      405  405  405  405  405
POST     catch/answer/                                                      403  403  302  404  302
GET      <public_id:webhook_id>/                                            200  200  200  404  200
POST     <public_id:webhook_id>/                                            405  405  405  405  405
GET      <public_id:webhook_id>/edit/                                       403  403  200  404  403
POST     <public_id:webhook_id>/edit/                                       403  403  302+ 404  403
GET      <public_id:webhook_id>/test/                                       405  405  405  405  405
POST     <public_id:webhook_id>/test/                                       403  302+ 302+ 404  302+
GET      <public_id:webhook_id>/pause/                                      405  405  405  405  405
POST     <public_id:webhook_id>/pause/                                      403  403  302+ 404  302+
GET      <public_id:webhook_id>/enable/                                     405  405  405  405  405
POST     <public_id:webhook_id>/enable/                                     403  403  302+ 404  403
GET      <public_id:webhook_id>/rotate/                                     403  403  200  404  403
POST     <public_id:webhook_id>/rotate/                                     403  403  200+ 404  403
GET      <public_id:webhook_id>/delete/                                     403  403  200  404  200
POST     <public_id:webhook_id>/delete/                                     403  403  302+ 404  302+
GET      <public_id:webhook_id>/replay/                                     403  200  200  404  200
POST     <public_id:webhook_id>/replay/                                     403  302+ 302+ 404  302+
GET      <public_id:webhook_id>/deliveries/<public_id:delivery_id>/         200  200  200  404  200
POST     <public_id:webhook_id>/deliveries/<public_id:delivery_id>/         405  405  405  405  405
GET      <public_id:webhook_id>/deliveries/<public_id:delivery_id>/resend/  405  405  405  405  405
POST     <public_id:webhook_id>/deliveries/<public_id:delivery_id>/resend/  403  302+ 302+ 404  302+
# The address is the operator's; members choose for themselves, owners for all.
[admin/connections/connection/<int:organization_id>/]
GET      notices/                  200  200  200  404  200
POST     notices/                  405  405  405  405  405
GET      notices/<int:address_id>/ 405  405  405  405  405
POST     notices/<int:address_id>/ 404  302+ 302+ 404  302+
[admin/connections/connectionevent/]
GET,POST .                                           200  200  200  200  200
GET,POST add/                                        403  403  403  403  403
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET,POST <path:object_id>/change/                    404  404  404  404  404
GET,POST <path:object_id>/                           302  302  302  302  302
[admin/connections/pairingattempt/]
GET,POST .                                           200  200  200  200  200
GET,POST add/                                        403  403  403  403  403
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET,POST <path:object_id>/change/                    404  404  404  404  404
GET,POST <path:object_id>/                           302  302  302  302  302
[admin/connections/worker/]
GET      .                                           403  403  403  403  200
POST     .                                           403  403  403  403  302+
GET,POST add/                                        403  403  403  403  403
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET,POST <path:object_id>/change/                    404  404  404  404  404
GET,POST <path:object_id>/                           302  302  302  302  302
# Of one that is over.
[admin/removals/]
GET      .                                           403  403  403  403  200
POST     .                                           403  403  403  403  405
GET      <int:organization_id>/                      403  403  403  403  200
POST     <int:organization_id>/                      403  403  403  403  405
GET      <int:organization_id>/logout/               403  403  403  403  405
POST     <int:organization_id>/logout/               403  403  403  403  302
[admin/connections/organizationproxy/]
GET,POST .                                           403  403  403  403  200
GET,POST add/                                        403  403  403  403  403
GET,POST <path:object_id>/history/                   404  404  404  404  404
GET,POST <path:object_id>/delete/                    404  404  404  404  404
GET,POST <path:object_id>/change/                    404  404  404  404  404
GET,POST <path:object_id>/                           302  302  302  302  302
[admin/messages/]
GET      .                                           200  200  200  200  200
POST     .                                           405  405  405  405  405
GET      today/                                      200  200  200  200  200
POST     today/                                      405  405  405  405  405
GET      newcomer/put-away/                          405  405  405  405  405
POST     newcomer/put-away/                          302+ 302+ 302+ 302+ 302+
# Anybody sees there which webhooks of their organizations fail.
[admin/webhooks/]
GET      .                                                                  200  200  200  200  200
POST     .                                                                  405  405  405  405  405
GET      add/                                                               403  403  403  403  200
POST     add/                                                               403  403  403  403  200+
GET      catch/                                                             405  405  405  405  405
POST     catch/                                                             403  403  403  403  302
GET      catch/answer/                                                      405  405  405  405  405
POST     catch/answer/                                                      403  403  403  403  302
GET      <public_id:webhook_id>/                                            403  403  403  403  200
POST     <public_id:webhook_id>/                                            405  405  405  405  405
GET      <public_id:webhook_id>/edit/                                       403  403  403  403  200
POST     <public_id:webhook_id>/edit/                                       403  403  403  403  302+
GET      <public_id:webhook_id>/test/                                       405  405  405  405  405
POST     <public_id:webhook_id>/test/                                       403  403  403  403  302+
GET      <public_id:webhook_id>/pause/                                      405  405  405  405  405
POST     <public_id:webhook_id>/pause/                                      403  403  403  403  302+
GET      <public_id:webhook_id>/enable/                                     405  405  405  405  405
POST     <public_id:webhook_id>/enable/                                     403  403  403  403  302+
GET      <public_id:webhook_id>/rotate/                                     403  403  403  403  200
POST     <public_id:webhook_id>/rotate/                                     403  403  403  403  200+
GET      <public_id:webhook_id>/delete/                                     403  403  403  403  200
POST     <public_id:webhook_id>/delete/                                     403  403  403  403  302+
GET      <public_id:webhook_id>/replay/                                     403  403  403  403  200
POST     <public_id:webhook_id>/replay/                                     403  403  403  403  302+
GET      <public_id:webhook_id>/deliveries/<public_id:delivery_id>/         403  403  403  403  200
POST     <public_id:webhook_id>/deliveries/<public_id:delivery_id>/         405  405  405  405  405
GET      <public_id:webhook_id>/deliveries/<public_id:delivery_id>/resend/  405  405  405  405  405
POST     <public_id:webhook_id>/deliveries/<public_id:delivery_id>/resend/  403  403  403  403  302+
# Everybody has their own; nothing can be added while SITE_URL is not set.
[admin/notices/]
GET      .                             403  403  403  403  200
POST     .                             405  405  405  405  405
GET      <int:notice_id>/retry/        405  405  405  405  405
POST     <int:notice_id>/retry/        403  403  403  403  302+
GET      mine/                         200  200  200  200  200
POST     mine/                         302+ 302+ 302+ 302+ 302+
GET      mine/add/                     405  405  405  405  405
POST     mine/add/                     400  400  400  400  400
GET      mine/<int:address_id>/again/  405  405  405  405  405
POST     mine/<int:address_id>/again/  404  302  404  404  404
GET      mine/<int:address_id>/test/   405  405  405  405  405
POST     mine/<int:address_id>/test/   404  302+ 404  404  404
GET      mine/<int:address_id>/off/    405  405  405  405  405
POST     mine/<int:address_id>/off/    404  302+ 404  404  404
GET      mine/<int:address_id>/on/     405  405  405  405  405
POST     mine/<int:address_id>/on/     404  302  404  404  404
GET      mine/<int:address_id>/remove/ 405  405  405  405  405
POST     mine/<int:address_id>/remove/ 404  302+ 404  404  404
[admin/]
GET,POST <app_label>/                                200  200  200  200  200
GET,POST <url>                                       404  404  404  404  404
"""

# Tokens. A session, like an expired or a revoked token, is no one: 401.
API = """
#                                     viewer's, operator's read and manage, owner's, superuser's;
#                                     Acme's read and manage; the outsider's, Globex's
[api/v1/]
GET      organizations                200  200  200  200  200  200  200  200  200
POST     organizations                403  403  403  403  201+ 403  403  403  403
GET      tokens                       200  403  200  200  200  403  403  200  403
POST     tokens                       201+ 403  201+ 201+ 201+ 403  403  201+ 403
DELETE   tokens/<uuid:number>         404  403  204+ 404  404  403  403  404  403
GET      invitations                  200  403  200  200  200  403  403  200  403
# It is the superuser who is invited.
[api/v1/invitations/<uuid:invitation_id>/]
POST     accept                       404  403  404  404  200+ 403  403  404  403
POST     decline                      404  403  404  404  204+ 403  403  404  403
[api/v1/organizations/<int:organization_id>]
DELETE   .                            403  403  403  403  204+ 403  403  404  404
GET      .                            200  200  200  200  200  200  200  404  404
PATCH,PUT .                           403  403  403  200+ 200+ 403  403  404  404
GET      /members                     403  403  403  200  200  403  403  404  404
POST     /members                     403  403  403  202+ 201+ 403  403  404  404
DELETE   /members/<username:member>   403  403  403  204+ 204+ 403  403  404  404
PATCH    /members/<username:member>   403  403  403  200+ 200+ 403  403  404  404
GET      /invitations                 403  403  403  200  200  403  403  404  404
DELETE   /invitations/<uuid:invitation_id> 403  403  403  204+ 204+ 403  403  404  404
GET      /tokens                      403  403  403  200  200  403  403  404  404
POST     /tokens                      403  403  403  201+ 201+ 403  403  404  404
DELETE   /tokens/<uuid:number>        403  403  403  204+ 204+ 403  403  404  404
GET      /events                      200  200  200  200  200  200  200  404  404
GET      /removal                     403  403  403  403  200  403  403  404  404
POST     /removal                     403  403  403  403  202+ 403  403  404  404
GET      /retention                   200  200  200  200  200  200  200  404  404
PATCH    /retention                   403  403  403  200+ 200+ 403  403  404  404
# Its logout is over.
[api/v1/removals/<int:organization_id>]
GET      .                            403  403  403  403  200  403  403  403  403
PATCH    .                            403  403  403  403  409  403  403  403  403
[api/v1/organizations/<int:organization_id>/whatsapp/]
POST     reconnect                    403  403  200  200  200  403  200  404  404
POST     init-baileys                 403  403  200  200  200  403  200  404  404
POST     pairing-code                 403  403  202+ 202+ 202+ 403  202+ 404  404
POST     cancel                       403  403  200+ 200+ 200+ 403  200+ 404  404
GET      qrcode.png                   403  403  200  200  200  403  200  404  404
GET      qrcode.svg                   403  403  200  200  200  403  200  404  404
GET      qrcode                       403  403  200  200  200  403  200  404  404
GET      status                       200  200  200  200  200  200  200  404  404
GET      test-message                 200  200  200  200  200  200  200  404  404
POST     test-message                 403  403  409  409  409  403  409  404  404
POST     owner-link                   403  403  201+ 201+ 201+ 403  201+ 404  404
DELETE   owner-link                   403  403  204  204  204  403  204  404  404
GET      proxy                        403  403  200  200  200  403  200  404  404
PUT      proxy                        403  403  403  200+ 200+ 403  403  404  404
# There is none to remove or to try.
DELETE   proxy                        403  403  403  204  204  403  403  404  404
POST     proxy/try                    403  403  404  404  404  403  404  404  404
DELETE   disconnect                   403  403  202+ 202+ 202+ 403  202+ 404  404
# What becomes of each organization is in the answer. One of these is being linked already.
[api/v1/whatsapp/]
POST     reconnect                    200  200  200  200  200  200  200  200  200
POST     owner-links                  200  200  200+ 200+ 200+ 200  200+ 200  200
"""

# Tokens that may do something with messages; all others may not, whatever else they may do. To the
# routes above, each of them is what it is without that right.
MESSAGES = """
#                                     none; operator's (no owner allows it); owner's to send,
#                                     to read; superuser's, Acme's; another organization's
[api/v1/organizations/<int:organization_id>/]
POST     contacts/erase               403 403 403 200+ 200+ 403  404
GET      export                       403 403 403 200+ 200+ 403  404
POST     archive                      403 403 403 200+ 200+ 403  404
GET      feed                         403 403 403  200 200  200  404
POST     media                        403 403 201+ 403 201+ 201+ 404
GET      media/<public_id:media_id>   403 403 403  200 200  200  404
DELETE   media/<public_id:media_id>   403 403 204+ 403 204+ 204+ 404
GET      media/<public_id:media_id>/file 403 403 403 200 200 200 404
GET      messages                     403 403 200  200 200  200  404
POST     messages                     403 403 202+ 403 202+ 202+ 404
POST     messages/release             403 403 200+ 403 200+ 200+ 404
POST     messages/drop                403 403 200+ 403 200+ 200+ 404
GET      messages/<public_id:message_id> 403 403 200 200 200 200 404
DELETE   messages/<public_id:message_id> 403 403 200+ 403 200+ 200+ 404
POST     messages/<public_id:message_id>/resend 403 403 202+ 403 202+ 202+ 404
POST     messages/<public_id:message_id>/read 403 403 200+ 403 200+ 200+ 404
POST     typing                       403 403 200 403 200 200 404
"""

# Webhooks send texts: whoever gives an address manages the organization, and reads its messages.
WEBHOOKS = """
#                                             who sees the organization, operates it, manages it,
#                                             reads its messages as well; another organization's
[api/v1/organizations/<int:organization_id>/webhooks]
GET     .                                                                  200  200  200  200  404
POST    .                                                                  403  403  403  201+ 404
GET     /<public_id:webhook_id>                                            200  200  200  200  404
PATCH   /<public_id:webhook_id>                                            403  403  200+ 200+ 404
DELETE  /<public_id:webhook_id>                                            403  403  204+ 204+ 404
POST    /<public_id:webhook_id>/enable                                     403  403  403  200+ 404
POST    /<public_id:webhook_id>/rotate                                     403  403  403  200+ 404
POST    /<public_id:webhook_id>/test                                       403  202+ 202+ 202+ 404
POST    /<public_id:webhook_id>/replay                                     403  202+ 202+ 202+ 404
GET     /<public_id:webhook_id>/deliveries                                 200  200  200  200  404
GET     /<public_id:webhook_id>/deliveries/<public_id:delivery_id>         200  200  200  200  404
POST    /<public_id:webhook_id>/deliveries/<public_id:delivery_id>/resend  403  202+ 202+ 202+ 404
"""

# Those that get the events of all organizations.
ALL_WEBHOOKS = """
#                                             all; superusers' tokens, and such that read messages
[api/v1/webhooks]
GET     .                                                                  403  200  200
POST    .                                                                  403  403  201+
GET     /<public_id:webhook_id>                                            403  200  200
PATCH   /<public_id:webhook_id>                                            403  200+ 200+
DELETE  /<public_id:webhook_id>                                            403  204+ 204+
POST    /<public_id:webhook_id>/enable                                     403  403  200+
POST    /<public_id:webhook_id>/rotate                                     403  403  200+
POST    /<public_id:webhook_id>/test                                       403  202+ 202+
POST    /<public_id:webhook_id>/replay                                     403  202+ 202+
GET     /<public_id:webhook_id>/deliveries                                 403  200  200
GET     /<public_id:webhook_id>/deliveries/<public_id:delivery_id>         403  200  200
POST    /<public_id:webhook_id>/deliveries/<public_id:delivery_id>/resend  403  202+ 202+
"""

# Tokens of the Cloud API; everyone else, and every token of the REST API, is no one: 401. An
# organization that a caller may not see is an unknown object: 400, as Meta answers.
GRAPH = """
#                                        Acme's to send, to read; another organization's
[graph/]
# They name no token to describe.
GET      debug_token                     400  400  400
GET      <int:organization_id>           200  200  400
POST     <int:organization_id>/messages  200+ 403  400
POST     <int:organization_id>/media     200+ 403  400
GET      <int:organization_id>/phone_numbers      200 200 400
GET      <int:organization_id>/message_templates  200 200 400
GET      <int:organization_id>/subscribed_apps    200 200 400
POST     <int:organization_id>/subscribed_apps    200 200 400
DELETE   <int:organization_id>/subscribed_apps    403 403 400
GET      <public_id:media_id>            403  200  400
DELETE   <public_id:media_id>            200+ 403  400
[graph/<graph_version:version>/]
# They name no token to describe.
GET      debug_token                     400  400  400
GET      <int:organization_id>           200  200  400
POST     <int:organization_id>/messages  200+ 403  400
POST     <int:organization_id>/media     200+ 403  400
GET      <int:organization_id>/phone_numbers      200 200 400
GET      <int:organization_id>/message_templates  200 200 400
GET      <int:organization_id>/subscribed_apps    200 200 400
POST     <int:organization_id>/subscribed_apps    200 200 400
DELETE   <int:organization_id>/subscribed_apps    403 403 400
GET      <public_id:media_id>            403  200  400
DELETE   <public_id:media_id>            200+ 403  400
"""

# Whoever asks: first those who are no staff (all tokens, too), then staff in person.
OPEN = """
[]
GET,POST .                              302 302
GET,POST language/                      302 302
# Nobody of them holds a link; what one opens is in connections/tests/owner_link/test_owner_page.py.
GET      link/                          200 200
POST     link/                          410 410
# Nor an invitation; what one does is in organizations/tests/colleagues/.
GET      invitation/                    200 200
POST     invitation/                    410 410
# Files of a version that is not there.
GET      static/<path:static_file>      404 404
POST     static/<path:static_file>      405 405
# Only a signature of ours opens a file.
GET      media/<str:signed>             404 404
POST     media/<str:signed>             405 405
# Signatures alone open these; what they do is in notices/tests/test_links.py.
GET,POST notices/confirm/<str:signed>/   410 410
GET,POST notices/stop/<str:signed>/      410 410
[admin/]
GET      login/                         200 302
POST     login/                         200 200
# Only a right password leads to the second step.
GET,POST login/code/                    login login
GET      logout/                        302 405
POST     logout/                        302 200
[api/v1/]
GET      schema                         200 200
GET      schema.yaml                    200 200
GET      docs                           200 200
GET,POST <rest>                          404 404
[api/]
GET,POST <rest>                          404 404
[graph/]
GET,POST <rest>                          404 404
"""

# WebSockets: "open", or the code that the handshake is answered with. First in person (anonymous,
# no staff, viewer, operator, owner, outsider, superuser), then by token, as in API, and at last the
# expired and the revoked one.
SOCKETS = """
ws/link/            4404 4404 4404 4404 4404 4404 4404
                    4404 4404 4404 4404 4404 4404 4404 4404 4404 4404 4404
ws/organizations/<organization_id>/messages/
                    4401 open open open open 4404 open
                    open open open open open open open 4404 4404 4401 4401
ws/connections/     4401 open open open open open open
                    open open open open open open open open open 4401 4401
ws/organizations/<organization_id>/connection/
                    4401 open open open open 4404 open
                    open open open open open open open 4404 4404 4401 4401
*                   4401 4404 4404 4404 4404 4404 4404
                    4404 4404 4404 4404 4404 4404 4404 4404 4404 4401 4401
"""


# In front of Django, and without a login: what all are answered who ask from this machine,
# from another one, and by way of a proxy.
PROBES = """
GET,HEAD /healthz   200 200 404
POST     /healthz   405 405 404
GET,HEAD /readyz    200 200 404
POST     /readyz    405 405 404
GET,HEAD /metrics   200 403 404
POST     /metrics   405 405 404
"""
