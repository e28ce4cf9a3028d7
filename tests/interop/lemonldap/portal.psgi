# LemonLDAP::NG's portal as an identity provider of a test (tests/it/support/lemonldap.rs). The environment says
# which: LLNG_FOLDER is where it may write and where sp.xml is, LLNG_BASE_URL its public address, LLNG_KEYS where
# the key is.

use strict;
use warnings;
use JSON;
# Its own file of settings, and nothing of the machine's.
BEGIN { $ENV{LLNG_DEFAULTCONFFILE} = "$ENV{LLNG_FOLDER}/lemonldap-ng.ini" }
use Lemonldap::NG::Portal::Main;

# It insists on a module for captchas, also where none is shown. Its own would need ImageMagick.
package Lemonldap::NG::Portal::Captcha::None {
    use Mouse;
    extends 'Lemonldap::NG::Portal::Main::Plugin';
    sub init { return 1 }
    $INC{'Lemonldap/NG/Portal/Captcha/None.pm'} = __FILE__;
}

my $folder   = $ENV{LLNG_FOLDER};
my $base_url = $ENV{LLNG_BASE_URL};

sub content {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!";
    local $/;
    return scalar <$file>;
}

mkdir "$folder/$_" or die "$_: $!" for qw(conf sessions sessions/lock psessions psessions/lock cache);

my ( $scheme, $host ) = split m{[/:]+}, $base_url;
my $is_https = $scheme eq 'https';

my %config = (
    cfgNum     => 1,
    cfgDate    => time,
    cfgVersion => '2.16.1',
    portal     => "$base_url/",
    domain     => $host,
    cookieName => 'lemonldap',
    key        => 'of-these-tests-only',
    sameSite   => $is_https ? 'None' : 'Lax',
    securedCookie => $is_https ? 1 : 0,
    captcha => '::Captcha::None',
    # What is not about single sign-on would need more packages.
    captcha_mail_enabled         => 0,
    captcha_register_enabled     => 0,
    portalDisplayRegister        => 0,
    portalDisplayResetPassword   => 0,
    # Its people: dwho, rtyler and msmith, each with the name as the password.
    authentication   => 'Demo',
    userDB           => 'Same',
    demoExportedVars => { cn => 'cn', mail => 'mail', uid => 'uid' },
    globalStorage    => 'Apache::Session::File',
    globalStorageOptions =>
      { Directory => "$folder/sessions", LockDirectory => "$folder/sessions/lock" },
    persistentStorage => 'Apache::Session::File',
    persistentStorageOptions =>
      { Directory => "$folder/psessions", LockDirectory => "$folder/psessions/lock" },
    localSessionStorage        => 'Cache::FileCache',
    localSessionStorageOptions => { namespace => 'sessions', cache_root => "$folder/cache" },
    issuerDBSAMLActivation   => 1,
    samlServicePrivateKeySig => content("$ENV{LLNG_KEYS}/idp-rsa.pem"),
    samlServicePublicKeySig  => content("$ENV{LLNG_KEYS}/idp-rsa.crt"),
    samlSPMetaDataXML        => { sloop => { samlSPMetaDataXML => content("$folder/sp.xml") } },
    samlSPMetaDataOptions    => {
        sloop => {
            samlSPMetaDataOptionsEncryptionMode           => 'none',
            samlSPMetaDataOptionsSignSSOMessage           => 1,
            samlSPMetaDataOptionsSignSLOMessage           => 1,
            samlSPMetaDataOptionsCheckSSOMessageSignature => 1,
            samlSPMetaDataOptionsCheckSLOMessageSignature => 1,
        }
    },
    samlSPMetaDataExportedAttributes => {
        sloop => {
            map { $_ => "1;$_;urn:oasis:names:tc:SAML:2.0:attrname-format:basic;" } qw(uid mail cn)
        }
    },
    locationRules => { $host => { default => 'accept' } },
);
sub write_to {
    my ( $path, $text ) = @_;
    open my $file, '>', $path or die "$path: $!";
    print $file $text;
    close $file or die "$path: $!";
}

write_to( "$folder/conf/lmConf-1.json", JSON->new->canonical->encode( \%config ) );
write_to( $ENV{LLNG_DEFAULTCONFFILE}, <<"END" );
[all]
logLevel = info
[configuration]
type = File
dirName = $folder/conf
localStorage = Cache::FileCache
localStorageOptions = { 'namespace' => 'configuration', 'cache_root' => '$folder/cache' }
[portal]
templateDir = /usr/share/lemonldap-ng/portal/templates
staticPrefix = /static
languages = en
END

Lemonldap::NG::Portal::Main->run( {} );
