<?php

/*
 * SimpleSAMLphp as an identity provider of a test (tests/it/support/simplesamlphp.rs). The environment says
 * which: SSP_FOLDER is where it may write, SSP_BASE_URL its public address.
 */

$folder = getenv('SSP_FOLDER') . '/';
$base_url = getenv('SSP_BASE_URL') . '/';
$is_https = strpos($base_url, 'https:') === 0;
if ($is_https) {
    // As its manual asks where something in front does TLS.
    $_SERVER['HTTPS'] = 'on';
}

// Services: the one under test, by its own metadata, and those of saml20-sp-remote.php.
$sources = [['type' => 'flatfile']];
if (is_file($folder . 'sp.xml')) {
    $sources[] = ['type' => 'xml', 'file' => $folder . 'sp.xml'];
}

$config = [
    'baseurlpath' => $base_url,
    'certdir' => dirname(__DIR__, 3) . '/fixtures/keys/',
    'loggingdir' => $folder,
    'datadir' => $folder,
    'tempdir' => $folder,
    'metadatadir' => __DIR__ . '/metadata/',
    'secretsalt' => 'of-these-tests-only',
    'auth.adminpassword' => 'nobody-is-admin-here',
    'technicalcontact_email' => 'na@example.org',
    'timezone' => 'UTC',
    'showerrors' => true,
    'logging.handler' => 'file',
    'logging.level' => SimpleSAML\Logger::DEBUG,
    'statistics.out' => [['class' => 'core:File', 'directory' => $folder . 'journal']],
    'enable.saml20-idp' => true,
    'module.enable' => ['core' => true, 'exampleauth' => true, 'saml' => true],
    'session.cookie.secure' => $is_https,
    'session.cookie.samesite' => $is_https ? 'None' : 'Lax',
    'session.phpsession.cookiename' => 'SimpleSAML',
    'session.phpsession.savepath' => $folder . 'sessions',
    'store.type' => 'phpsession',
    'metadata.sources' => $sources,
    'trusted.url.domains' => [],
    'language.available' => ['en'],
    'language.default' => 'en',
    'theme.use' => 'default',
];
