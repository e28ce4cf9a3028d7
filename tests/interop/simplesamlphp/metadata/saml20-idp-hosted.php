<?php

/* The identity provider: SSP_SIGNED, SSP_LOGOUT_TYPE and SSP_BINDING choose what differs between stories. */

$is_signed = getenv('SSP_SIGNED') === 'true';

$metadata[getenv('SSP_BASE_URL') . '/idp'] = [
    'host' => '__DEFAULT__',
    'auth' => 'people',
    'privatekey' => 'idp-rsa.pem',
    'certificate' => 'idp-rsa.crt',
    'userid.attribute' => 'uid',
    'validate.authnrequest' => true,
    'sign.logout' => $is_signed,
    'validate.logout' => $is_signed,
    'logouttype' => getenv('SSP_LOGOUT_TYPE'),
    'SingleLogoutServiceBinding' => 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-' . getenv('SSP_BINDING'),
];
