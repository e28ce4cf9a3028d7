<?php

/* Another service of the same identity provider. It offers no single logout, and nobody serves it. */

$metadata['https://other.example/sp'] = [
    'AssertionConsumerService' => 'https://other.example/acs',
    'name' => 'Other',
];
